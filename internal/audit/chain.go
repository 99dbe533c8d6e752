package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

// Report is what a verification found. With an error it covers the records before the first bad line.
type Report struct {
	Records uint64    `json:"records"`
	Bytes   int64     `json:"bytes"` // of those records, with their newlines
	Head    Head      `json:"head"`  // of the last good record
	First   time.Time `json:"first"` // time of the first record; zero without records
	Last    time.Time `json:"last"`  // time of the last good record
	// Anchor is the newest known head that the log was found to contain; zero when none was given.
	// Records after it are chained, but their removal would go unseen.
	Anchor Head `json:"anchor"`
	// Unfinished counts the bytes after the last whole line that a running writer has not finished
	// yet. VerifyFile only.
	Unfinished int64 `json:"unfinished"`
}

// Verify reads a log to its end and proves that its chain is unbroken from the first record on. The
// error is a *BrokenError for the first bad line, or that of r. Records missing at the end cannot
// be seen this way; use VerifyHead or VerifyFile.
func Verify(r io.Reader) (Report, error) { return walk(r, nil, ignore) }

// VerifyHead is Verify and also proves that the log contains the record that head names and all
// before it. The damage is DamageTruncated when the log ends earlier, DamageRewritten when another
// record stands there.
func VerifyHead(r io.Reader, head Head) (Report, error) { return walk(r, []Head{head}, ignore) }

func ignore(*line, span) error { return nil }

// span is where a line stands in the file.
type span struct {
	off int64  // bytes from the start of the file
	n   uint32 // bytes with the newline
}

// walk reads r to the first bad line or the end, calling visit for each good record; an error of
// visit ends the walk and is returned as it is.
func walk(r io.Reader, anchors []Head, visit func(*line, span) error) (Report, error) {
	in := lineReader{r: bufio.NewReaderSize(r, maxLine+2)}
	report := Report{Head: Head{Hash: genesis}}
	var l line
	for {
		raw, err := in.next()
		if errors.Is(err, io.EOF) {
			return report, shortOf(report, anchors)
		}
		if err != nil {
			return report, fmt.Errorf("read audit log at line %d: %w", in.number, err)
		}
		if err := link(&in, raw, &l, report.Head); err != nil {
			return report, err
		}
		head := l.head()
		for _, a := range anchors {
			if a.Seq == head.Seq && a.Hash != head.Hash {
				return report, broken(raw.number, DamageRewritten,
					"record %d has hash %s, but the head known for it is %s", head.Seq, head.Hash, a.Hash)
			}
			if a.Seq == head.Seq {
				report.Anchor = head
			}
		}
		where := span{off: report.Bytes, n: uint32(len(raw.text) + 1)}
		if report.Records == 0 {
			report.First = l.time
		}
		report.Last = l.time
		report.Records++
		report.Bytes += int64(where.n)
		report.Head = head
		if err := visit(&l, where); err != nil {
			return report, err
		}
	}
}

func shortOf(r Report, anchors []Head) error {
	for _, a := range anchors {
		if a.Seq > r.Head.Seq {
			return broken(r.Records+1, DamageTruncated,
				"the log ends with record %d, but record %d (hash %s) was written: restore the file from a copy that contains it",
				r.Head.Seq, a.Seq, a.Hash)
		}
	}
	return nil
}

// link parses raw into l and checks that it follows on last. The error says what happened to the log,
// as far as the lines after it tell; in is read on to find out.
func link(in *lineReader, raw rawLine, l *line, last Head) error {
	want := last.Seq + 1
	if err := parseWhole(raw, l); err != nil {
		return classifyBad(in, raw, err, last)
	}
	if !l.sealed() {
		return classifyBad(in, raw, errors.New("its content does not match its hash"), last)
	}
	prev := unquoteRaw(l.prev)
	switch seq := l.seq; {
	case seq == want && prev == last.Hash:
		return nil
	case seq > want:
		if at, found := in.find(want, last.Hash); found {
			return broken(raw.number, DamageReordered, "record %d stands here, record %d on line %d", seq, want, at)
		}
		if want == 1 {
			return broken(raw.number, DamageBeginning, "the log begins with record %d; %s missing", seq, numbered(1, seq-1))
		}
		return broken(raw.number, DamageRemoved, "%s missing before record %d", numbered(want, seq-1), seq)
	case seq < want:
		return broken(raw.number, DamageInserted, "record %d stands here again; one of the lines that claim this number was added", seq)
	default:
		return broken(raw.number, DamageChanged,
			"record %d follows on hash %s, but the record before it has %s: one of the two was replaced", seq, prev, last.Hash)
	}
}

// numbered names the records of a gap, with their verb.
func numbered(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("record %d is", from)
	}
	return fmt.Sprintf("records %d to %d are", from, to)
}

func parseWhole(raw rawLine, l *line) error {
	switch {
	case raw.long:
		return fmt.Errorf("longer than %d bytes", maxLine)
	case !raw.whole:
		return errors.New("it does not end with a newline")
	}
	return parseLine(raw.text, l)
}

var otherVersion = regexp.MustCompile(`,"v":(\d+)\}$`)

// classifyBad tells apart, for a line that is no intact record, a crash, an addition and a change.
func classifyBad(in *lineReader, raw rawLine, cause error, last Head) error {
	valid, version := json.Valid(raw.text), otherVersion.FindSubmatch(raw.text)
	if version != nil && string(version[1]) != "1" && valid {
		return broken(raw.number, DamageUnreadable, "format version %s is not known to this program: use a newer one", version[1])
	}
	next, err := in.next()
	if errors.Is(err, io.EOF) && (!raw.whole || !valid) {
		return broken(raw.number, DamageTorn, "the last line is unfinished (%v), as a crash or a full disk leaves it: "+
			"the controller moves it away and records that when it next opens the log", cause)
	}
	var l line
	if err == nil && parseWhole(next, &l) == nil && l.sealed() && l.seq == last.Seq+1 && unquoteRaw(l.prev) == last.Hash {
		return broken(raw.number, DamageInserted, "the line is no record (%v), and the record that belongs here follows it", cause)
	}
	return broken(raw.number, DamageChanged, "the line is not what was written (%v)", cause)
}

// rawLine is a line before parsing; text is valid until the next read.
type rawLine struct {
	text   []byte // without the newline; the beginning only when long
	number uint64 // from 1
	whole  bool   // ends with a newline
	long   bool   // longer than maxLine
}

// lineReader cuts a log into lines in bounded memory.
type lineReader struct {
	r      *bufio.Reader
	number uint64
}

// next returns the next line, or io.EOF when nothing is left.
func (in *lineReader) next() (rawLine, error) {
	text, err := in.r.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(text) == 0 {
		return rawLine{}, io.EOF
	}
	in.number++
	out := rawLine{number: in.number, whole: err == nil}
	if errors.Is(err, bufio.ErrBufferFull) {
		out.long, out.text = true, bytes.Clone(text[:1<<10])
		out.whole, err = in.skip()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return rawLine{}, err
	}
	if !out.long {
		out.text = bytes.TrimSuffix(text, []byte{'\n'})
		out.long = len(out.text) > maxLine
	}
	return out, nil
}

// skip reads to the end of an overlong line and reports whether it ended with a newline.
func (in *lineReader) skip() (bool, error) {
	for {
		_, err := in.r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err == nil, err
		}
	}
}

// find reads on to the intact record that has this number and follows on this hash.
func (in *lineReader) find(seq uint64, prev string) (uint64, bool) {
	var l line
	for {
		raw, err := in.next()
		if err != nil {
			return 0, false
		}
		if parseWhole(raw, &l) == nil && l.seq == seq && unquoteRaw(l.prev) == prev && l.sealed() {
			return raw.number, true
		}
	}
}

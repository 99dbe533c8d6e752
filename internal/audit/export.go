package audit

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Format is a form of export.
type Format string

// The formats.
const (
	JSONLines Format = "jsonl" // the lines as they stand in the log, each provable by its own hash
	CSV       Format = "csv"   // RFC 4180 with a header line, made safe for spreadsheets
	Text      Format = "text"  // for people; programs read one of the others
)

// Formats lists them, the default first.
func Formats() []Format { return []Format{JSONLines, CSV, Text} }

// Filter selects records; a zero member selects all. All members must hold.
type Filter struct {
	Since       time.Time // inclusive
	Until       time.Time // exclusive
	Team        string
	Model       string
	Environment string
	Actions     []Action // any of them
	// Person is a login, in any case, or an account's id: whoever acted, is among
	// those whose approval the record rests on, or broke the glass for it. Digits
	// are an id where the record has one.
	Person string
}

func (f Filter) matches(l *line) bool {
	return (f.Since.IsZero() || !l.time.Before(f.Since)) &&
		(f.Until.IsZero() || l.time.Before(f.Until)) &&
		(f.Team == "" || f.Team == unquote(l.team)) &&
		(f.Model == "" || f.Model == unquote(l.model)) &&
		(f.Environment == "" || f.Environment == unquote(l.environment)) &&
		(len(f.Actions) == 0 || slices.Contains(f.Actions, Action(unquote(l.action)))) &&
		(f.Person == "" || involves(l, f.Person))
}

// Export writes the records of the log r that the filter selects to w and returns how many. The
// chain is verified on the way, and that the log contains every head: on an error, as VerifyHead
// returns it, what was written before it is good.
func Export(r io.Reader, w io.Writer, format Format, filter Filter, heads ...Head) (int, error) {
	buffered := bufio.NewWriter(w)
	write, finish, err := writerFor(format, buffered)
	if err != nil {
		return 0, err
	}
	n := 0
	_, err = walk(r, heads, func(l *line, _ span) error {
		if !filter.matches(l) {
			return nil
		}
		if err := write(l); err != nil {
			return fmt.Errorf("write export: %w", err)
		}
		n++
		return nil
	})
	return n, errors.Join(err, finish(), buffered.Flush())
}

func writerFor(format Format, w *bufio.Writer) (write func(*line) error, finish func() error, err error) {
	switch format {
	case JSONLines:
		write = func(l *line) error {
			if _, err := w.Write(l.text); err != nil {
				return err
			}
			return w.WriteByte('\n')
		}
		return write, func() error { return nil }, nil
	case CSV:
		c := csv.NewWriter(w)
		finish = func() error {
			c.Flush()
			return c.Error()
		}
		write = func(l *line) error { return c.Write(csvRow(l)) }
		return write, finish, c.Write(csvHeader)
	case Text:
		write = func(l *line) error { return writeText(w, l) }
		return write, func() error { return nil }, nil
	}
	return nil, nil, fmt.Errorf("%w: export format %q: use one of %v", ErrInvalid, format, Formats())
}

var csvHeader = []string{
	"seq", "time", "phase", "action", "repository", "team", "model", "environment", "actor",
	"commit", "digest", "reason", "evidence", "key", "prev", "hash",
}

func csvRow(l *line) []string {
	row := []string{
		strconv.FormatUint(l.seq, 10), l.time.Format(timeLayout), unquote(l.phase), unquote(l.action),
		unquote(l.repository), unquote(l.team), unquote(l.model), unquote(l.environment), unquote(l.actor),
		unquote(l.commit), unquote(l.digest), unquote(l.reason), string(l.evidence), unquote(l.key),
		unquoteRaw(l.prev), unquoteRaw(l.hash),
	}
	for i := range row {
		row[i] = inert(row[i])
	}
	return row
}

// inert keeps a spreadsheet from taking a value for a formula, as OWASP's "CSV Injection" advises:
// a quote goes before a value that begins with a character that starts one.
func inert(s string) string {
	if s == "" {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n':
		return "'" + s
	}
	return s
}

package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAppendReturnsWhatIsOnRecord(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	var want []Record
	for i := range 3 {
		rec := mustAppend(t, l, entry(i))
		if got, err := readHead(path); err != nil || got != rec.Head() || l.Head() != got {
			t.Errorf("head file %v, %v", got, err)
		}
		want = append(want, rec)
	}
	if got := records(t, read(t, path)); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	mustClose(t, l)
	l = open(t, path, Options{})
	rec, ok, err := l.Find(want[1].Key)
	if err != nil || !ok || !reflect.DeepEqual(rec, want[1]) {
		t.Errorf("Find after restart: %+v, %v, %v", rec, ok, err)
	}
	if _, ok, err := l.Find("no such key"); ok || err != nil {
		t.Errorf("Find of an unknown key: %v, %v", ok, err)
	}
	if rec := mustAppend(t, l, entry(3)); rec.Seq != 4 || rec.Prev != want[2].Hash {
		t.Errorf("after restart: %+v", rec)
	}
	n := 0
	for _, err := range l.Records() {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if n != 4 {
		t.Errorf("Records gave %d", n)
	}
}

func TestAKeyStandsOnRecordOnce(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	first := mustAppend(t, l, entry(1))
	for _, reopen := range []bool{false, true} {
		if reopen {
			mustClose(t, l)
			l = open(t, path, Options{})
		}
		if again := mustAppend(t, l, entry(1)); !reflect.DeepEqual(again, first) {
			t.Errorf("reopened %v: %+v", reopen, again)
		}
	}
	for name, change := range map[string]func(*Entry){
		"phase": func(e *Entry) { e.Phase = PhaseIntent }, "action": func(e *Entry) { e.Action = ActionHeal },
		"subject": func(e *Entry) { e.Subject.Team = "x" }, "actor": func(e *Entry) { e.Actor = "x" },
		"commit": func(e *Entry) { e.Commit = "" }, "digest": func(e *Entry) { e.Digest = "" },
		"reason": func(e *Entry) { e.Reason += "." }, "evidence": func(e *Entry) { e.Evidence["ready"] = false },
	} {
		e := entry(1)
		change(&e)
		if _, err := l.Append(context.Background(), e); !errors.Is(err, ErrConflict) {
			t.Errorf("with another %s: %v", name, err)
		}
	}
	if n := len(lines(read(t, path))); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestEntriesThatCannotStandAreRefusedAndLeaveTheLogUsable(t *testing.T) {
	l := open(t, logPath(t), Options{})
	for name, c := range map[string]struct {
		change func(*Entry)
		want   error
	}{
		"no key":             {func(e *Entry) { e.Key = "" }, ErrInvalid},
		"a key not UTF-8":    {func(e *Entry) { e.Key = "\xff" }, ErrInvalid},
		"a reserved key":     {func(e *Entry) { e.Key = "audit:x" }, ErrInvalid},
		"the repair phase":   {func(e *Entry) { e.Phase = PhaseRepair }, ErrInvalid},
		"no phase":           {func(e *Entry) { e.Phase = "" }, ErrInvalid},
		"an odd action":      {func(e *Entry) { e.Action = "Apply Now" }, ErrInvalid},
		"no actor":           {func(e *Entry) { e.Actor = "" }, ErrInvalid},
		"a long key":         {func(e *Entry) { e.Key = strings.Repeat("k", MaxKey+1) }, ErrTooLarge},
		"a long reason":      {func(e *Entry) { e.Reason = strings.Repeat("k", MaxReason+1) }, ErrTooLarge},
		"a long model name":  {func(e *Entry) { e.Subject.Model = strings.Repeat("k", MaxField+1) }, ErrTooLarge},
		"much evidence":      {func(e *Entry) { e.Evidence["x"] = strings.Repeat("k", MaxEvidence) }, ErrTooLarge},
		"evidence not JSON":  {func(e *Entry) { e.Evidence["x"] = make(chan int) }, ErrInvalid},
		"too big an integer": {func(e *Entry) { e.Evidence["x"] = int64(1)<<53 + 1 }, ErrInvalid},
	} {
		e := entry(0)
		c.change(&e)
		if _, err := l.Append(context.Background(), e); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rec := mustAppend(t, l, entry(0)); rec.Seq != 1 {
		t.Errorf("record %d", rec.Seq)
	}
}

func TestTheLargestEntryFitsALine(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	f := strings.Repeat("\x01", MaxField) // six bytes each once escaped
	mustAppend(t, l, Entry{
		Key: strings.Repeat("\x01", MaxKey), Phase: Phase(strings.Repeat("p", MaxField)), Action: Action(strings.Repeat("a", MaxField)),
		Subject: Subject{f, f, f, f}, Actor: f, Commit: f, Digest: f, Reason: strings.Repeat("\x01", MaxReason),
		Evidence: map[string]any{"x": strings.Repeat("a", MaxEvidence-len(`{"x":""}`))},
	})
	mustAppend(t, l, entry(1))
	mustClose(t, l)
	if _, err := VerifyFile(path); err != nil {
		t.Error(err)
	}
}

func TestHostileTextIsRecordedHarmlessly(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	e := entry(1)
	e.Reason, e.Actor = "a\nb\x00\xff{\"seq\":1}", "\u202e\u2028"
	mustAppend(t, l, e)
	mustAppend(t, l, entry(2))
	if got := records(t, read(t, path)); len(got) != 2 || got[0].Reason != "a\nb\x00\uFFFD{\"seq\":1}" {
		t.Errorf("%+v", got)
	}
}

func TestConcurrentAppendersShareOneChain(t *testing.T) {
	const workers, each = 16, 25
	path := logPath(t)
	l := open(t, path, Options{})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				// Every key is appended by two workers.
				e := entry(w/2*each + i)
				rec, err := l.Append(context.Background(), e)
				if err != nil || rec.Key != e.Key {
					t.Errorf("Append: %v, %v", rec, err)
				}
				if found, ok, err := l.Find(e.Key); !ok || err != nil || found.Seq != rec.Seq {
					t.Errorf("Find: %v, %v", ok, err)
				}
				if _, err := VerifyFile(path); err != nil && i%5 == 0 {
					t.Errorf("VerifyFile beside the writer: %v", err)
				}
			}
		})
	}
	wg.Wait()
	mustClose(t, l)
	report, err := VerifyFile(path)
	if err != nil || report.Records != workers/2*each {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestASecondWriterIsToldWhomToStop(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	_, err := Open(path, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())+" ") {
		t.Errorf("%v", err)
	}
	mustClose(t, l)
	open(t, path, Options{})
}

func TestAClosedLogRefuses(t *testing.T) {
	l := open(t, logPath(t), Options{})
	mustAppend(t, l, entry(1))
	mustClose(t, l)
	mustClose(t, l)
	if _, err := l.Append(context.Background(), entry(2)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestAnEndedContextAppendsNothing(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Append(ctx, entry(1)); !errors.Is(err, context.Canceled) || len(read(t, path)) != 0 {
		t.Errorf("%v", err)
	}
}

func TestACrashIsRepairedWhereverItCutTheLastLine(t *testing.T) {
	log := chain(t, 3)
	last := len(log) - len(lines(log)[2])
	head := records(t, log)[1].Head() // the third was never acknowledged
	for size := last + 1; size < len(log); size += 41 {
		torn := log[last:size]
		for _, end := range []string{"", "\n", "\x00\x00\x00"} {
			path := place(t, append(bytes.Clone(log[:size]), end...), head)
			l := open(t, path, Options{})
			again := mustAppend(t, l, entry(2))
			mustClose(t, l)
			recs := records(t, read(t, path))
			if len(recs) != 4 || again.Seq != 4 || recs[2].Phase != PhaseRepair {
				t.Fatalf("cut at %d: %+v", size, recs)
			}
			if got := read(t, path+".torn-1"); string(got) != string(torn)+end {
				t.Fatalf("cut at %d: torn file holds %q", size, got)
			}
			if recs[2].Evidence["file"] != filepath.Base(path)+".torn-1" {
				t.Fatalf("evidence %v", recs[2].Evidence)
			}
			if _, err := VerifyFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestARepairThatCrashedIsFinishedOnce(t *testing.T) {
	log := chain(t, 3)
	cut := len(log) - 100
	start := len(log) - len(lines(log)[2])
	head := records(t, log)[1].Head()
	for name, logNow := range map[string][]byte{
		"after the torn file was written": log[:cut],
		"after the log was cut":           log[:start],
	} {
		t.Run(name, func(t *testing.T) {
			path := place(t, logNow, head)
			write(t, path+".torn-1", log[start:cut])
			for range 2 {
				mustClose(t, open(t, path, Options{}))
			}
			if recs := records(t, read(t, path)); len(recs) != 3 || recs[2].Action != ActionRepair {
				t.Errorf("%+v", recs)
			}
			if _, err := os.Stat(path + ".torn-2"); !errors.Is(err, os.ErrNotExist) {
				t.Error("moved twice")
			}
		})
	}
	t.Run("a second crash makes a second file", func(t *testing.T) {
		path := place(t, log[:cut], head)
		write(t, path+".torn-1", []byte("of an earlier crash"))
		mustClose(t, open(t, path, Options{}))
		if recs := records(t, read(t, path)); len(recs) != 4 || string(read(t, path+".torn-2")) != string(log[start:cut]) {
			t.Errorf("%+v", recs)
		}
	})
}

func TestOpenRefusesWhatIsNoCrash(t *testing.T) {
	log := chain(t, 4)
	l := lines(log)
	recs := records(t, log)
	head := recs[3].Head()
	change := bytes.Replace(log, []byte("churn"), []byte("burnt"), 1)
	twice := append(bytes.Clone(log), rekeyed(t, recs[3], recs[0].Key)...)
	for name, c := range map[string]struct {
		log     []byte
		head    Head
		options Options
		want    Damage
	}{
		"a changed record":                     {change, head, Options{}, DamageChanged},
		"a removed record":                     {bytes.Join([][]byte{l[0], l[2], l[3]}, nil), recs[0].Head(), Options{}, DamageRemoved},
		"an acknowledged record cut off":       {log[:len(log)-len(l[3])], head, Options{}, DamageTruncated},
		"an acknowledged record cut in half":   {log[:len(log)-20], head, Options{}, DamageTruncated},
		"an acknowledged record's newline":     {log[:len(log)-1], head, Options{}, DamageTruncated},
		"a head that is not in the log":        {log, Head{Seq: 2, Hash: recs[2].Hash}, Options{}, DamageRewritten},
		"an expected head that is not in it":   {log, head, Options{Expect: Head{Seq: 4, Hash: recs[2].Hash}}, DamageRewritten},
		"an expected head that is after it":    {log, head, Options{Expect: Head{Seq: 5, Hash: recs[2].Hash}}, DamageTruncated},
		"a key that stands twice in the chain": {twice, head, Options{}, DamageInserted},
	} {
		t.Run(name, func(t *testing.T) {
			path := place(t, c.log, c.head)
			_, err := Open(path, c.options)
			if damage, _ := damageOf(err); damage != c.want {
				t.Errorf("%v", err)
			}
			if !bytes.Equal(read(t, path), c.log) || !bytes.Equal(read(t, headPath(path)), headLine(c.head)) {
				t.Error("the refused log was touched")
			}
			if _, err := os.Stat(path + ".torn-1"); !errors.Is(err, os.ErrNotExist) {
				t.Error("the refused log was repaired")
			}
		})
	}
}

// rekeyed makes the line that follows last, with another key.
func rekeyed(t *testing.T, last Record, key string) []byte {
	t.Helper()
	e := entry(99)
	e.Key = key
	p, err := prepare(e)
	if err != nil {
		t.Fatal(err)
	}
	line, _ := encode(nil, &Record{Seq: last.Seq + 1, Time: last.Time, Entry: p.Entry, Prev: last.Hash}, p.evidence)
	return line
}

func TestAMissingHeadFileIsNotOverlooked(t *testing.T) {
	log := chain(t, 3)
	head := records(t, log)[2].Head()
	path := place(t, log, head)
	if err := os.Remove(headPath(path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, ErrHeadMissing) {
		t.Errorf("Open: %v", err)
	}
	if report, err := VerifyFile(path); !errors.Is(err, ErrHeadMissing) || report.Records != 3 {
		t.Errorf("VerifyFile: %+v, %v", report, err)
	}
	if report, err := VerifyFile(path, head); err != nil || report.Anchor != head {
		t.Errorf("VerifyFile with a head: %+v, %v", report, err)
	}
	write(t, headPath(path), []byte("garbage"))
	if _, err := Open(path, Options{AcceptMissingHead: true}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Open with a damaged head file: %v", err)
	}
	if err := os.Remove(headPath(path)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, open(t, path, Options{AcceptMissingHead: true, Expect: head}))
	if _, err := VerifyFile(path); err != nil {
		t.Error(err)
	}
}

func TestVerifyFileTellsAWriterAtWorkFromACrash(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	mustAppend(t, l, entry(1))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"action":`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := VerifyFile(path); err != nil || report.Unfinished != 10 || report.Records != 1 {
		t.Errorf("beside the writer: %+v, %v", report, err)
	}
	r, err := Snapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := Verify(r); err != nil || report.Records != 1 {
		t.Errorf("snapshot: %+v, %v", report, err)
	}
	if err := errors.Join(r.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = VerifyFile(path)
	if damage, line := damageOf(err); damage != DamageTorn || line != 2 {
		t.Errorf("without the writer: %v", err)
	}
}

func TestTimesAreRecordedInUTCWithNanoseconds(t *testing.T) {
	path := logPath(t)
	at := time.Date(2026, 3, 1, 9, 0, 0, 5, time.FixedZone("CET", 3600))
	l := open(t, path, Options{Now: func() time.Time { return at }})
	if rec := mustAppend(t, l, entry(1)); !rec.Time.Equal(at) || rec.Time.Location() != time.UTC {
		t.Errorf("%v", rec.Time)
	}
	if !bytes.Contains(read(t, path), []byte(`"time":"2026-03-01T08:00:00.000000005Z"`)) {
		t.Errorf("%s", read(t, path))
	}
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	path := logPath(t)
	mustAppend(t, open(t, path, Options{}), entry(1))
	for _, name := range []string{path, headPath(path), path + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if all, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(all) != 0 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

func ExampleLog() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	log, err := Open(filepath.Join(dir, "audit.jsonl"), Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = log.Close() }()
	rec, err := log.Append(context.Background(), Entry{
		Key: "release/churn-predictor/production/2f1e9a4/intent", Phase: PhaseIntent, Action: ActionApply, Actor: "mooring",
		Subject: Subject{Team: "data-science", Model: "churn-predictor", Environment: "production"},
	})
	fmt.Println(rec.Seq, rec.Phase, rec.Subject.Model, err)
	// Output: 1 intent churn-predictor <nil>
}

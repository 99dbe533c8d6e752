package audit

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func damageOf(err error) (Damage, uint64) {
	var b *BrokenError
	if errors.As(err, &b) {
		return b.Damage, b.Line
	}
	return "", 0
}

func TestVerifyNamesTheFirstBadLineAndItsDamage(t *testing.T) {
	log := chain(t, 6)
	l := lines(log)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	replace := func(i int, old, new string) []byte {
		out := slices.Clone(l)
		out[i] = bytes.Replace(l[i], []byte(old), []byte(new), 1)
		return join(out...)
	}
	for name, c := range map[string]struct {
		log  []byte
		want Damage
		line uint64
	}{
		"an untouched log":                 {log, "", 0},
		"an empty log":                     {nil, "", 0},
		"a changed value":                  {replace(2, "production", "staging"), DamageChanged, 3},
		"a changed hash":                   {replace(2, `"hash":"`, `"hash":"0`), DamageChanged, 3},
		"a space more":                     {replace(3, `,"actor"`, `, "actor"`), DamageChanged, 4},
		"a member spelled differently":     {replace(0, `"actor"`, `"Actor"`), DamageChanged, 1},
		"a member twice":                   {replace(0, `"v":1`, `"v":1,"v":1`), DamageChanged, 1},
		"an escape where none is needed":   {replace(1, "mooring", `\u006dooring`), DamageChanged, 2},
		"a record replaced with its hash":  {join(l[0], chain2(t, l[1], "prod", "test"), l[2], l[3]), DamageChanged, 3},
		"a record removed":                 {join(l[0], l[1], l[3], l[4]), DamageRemoved, 3},
		"several records removed":          {join(l[0], l[4], l[5]), DamageRemoved, 2},
		"the first records removed":        {join(l[2:]...), DamageBeginning, 1},
		"two records swapped":              {join(l[0], l[2], l[1], l[3]), DamageReordered, 2},
		"the first two swapped":            {join(l[1], l[0], l[2]), DamageReordered, 1},
		"a record moved to the end":        {join(l[0], l[2], l[3], l[1]), DamageReordered, 2},
		"a record repeated":                {join(l[0], l[1], l[1], l[2]), DamageInserted, 3},
		"an old record repeated at end":    {join(log, l[2]), DamageInserted, 7},
		"an empty line inserted":           {join(l[0], []byte("\n"), l[1]), DamageInserted, 2},
		"a foreign line inserted":          {join(l[0], []byte("{\"a\":1}\n"), l[1]), DamageInserted, 2},
		"a byte order mark":                {join([]byte("\ufeff"), log), DamageChanged, 1},
		"Windows line ends":                {bytes.ReplaceAll(log, []byte("\n"), []byte("\r\n")), DamageChanged, 1},
		"the last newline missing":         {bytes.TrimSuffix(log, []byte("\n")), DamageTorn, 6},
		"half the last line":               {log[:len(log)-200], DamageTorn, 6},
		"half the last line and a newline": {join(log[:len(log)-200], []byte("\n")), DamageTorn, 6},
		"zeros at the end":                 {join(log, make([]byte, 4096)), DamageTorn, 7},
		"a huge line at the end":           {join(log, bytes.Repeat([]byte("x"), 3*maxLine)), DamageTorn, 7},
		"a huge line in the middle":        {join(l[0], bytes.Repeat([]byte("x"), 3*maxLine), []byte("\n"), l[1]), DamageInserted, 2},
		"a newer format":                   {[]byte(`{"action":"x","v":2}` + "\n"), DamageUnreadable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Verify(bytes.NewReader(c.log))
			if damage, line := damageOf(err); damage != c.want || line != c.line || (err == nil) != (c.want == "") {
				t.Errorf("%v", err)
			}
		})
	}
}

// chain2 changes a record and gives it the hash that fits, as a forger who knows the rule would.
func chain2(t *testing.T, text []byte, old, new string) []byte {
	t.Helper()
	var l line
	if err := parseLine(bytes.TrimSuffix(text, []byte("\n")), &l); err != nil {
		t.Fatal(err)
	}
	rec, err := l.record()
	if err != nil {
		t.Fatal(err)
	}
	rec.Subject.Environment = strings.Replace(rec.Subject.Environment, old, new, 1)
	out, _ := encode(nil, &rec, l.evidence)
	return out
}

func TestDamageIsToldSoThatPeopleKnowWhatToDo(t *testing.T) {
	log := chain(t, 5)
	l := lines(log)
	for name, c := range map[string]struct {
		log  []byte
		want string
	}{
		"one record removed":    {bytes.Join([][]byte{l[0], l[1], l[3]}, nil), "record 3 is missing before record 4"},
		"two records removed":   {bytes.Join([][]byte{l[0], l[3]}, nil), "records 2 to 3 are missing before record 4"},
		"the first one removed": {bytes.Join(l[1:], nil), "the log begins with record 2; record 1 is missing"},
		"an unfinished line":    {log[:len(log)-200], "as a crash or a full disk leaves it: the controller moves it away"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(bytes.NewReader(c.log)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it does not say %q: %v", c.want, err)
			}
		})
	}
}

func TestVerifyReportsWhatItCovered(t *testing.T) {
	log := chain(t, 5)
	recs := records(t, log)
	report, err := VerifyHead(bytes.NewReader(log), recs[2].Head())
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Records: 5, Bytes: int64(len(log)), Head: recs[4].Head(),
		First: recs[0].Time, Last: recs[4].Time, Anchor: recs[2].Head(),
	}
	if report != want {
		t.Errorf("got  %+v\nwant %+v", report, want)
	}
}

func TestAKnownHeadShowsTruncationAndRewriting(t *testing.T) {
	log := chain(t, 5)
	head := records(t, log)[4].Head()
	cut := bytes.Join(lines(log)[:3], nil)
	for name, c := range map[string]struct {
		log  []byte
		head Head
		want Damage
		line uint64
	}{
		"the whole log":              {log, head, "", 0},
		"nothing is known":           {cut, Head{}, "", 0},
		"the end cut off":            {cut, head, DamageTruncated, 4},
		"everything cut off":         {nil, head, DamageTruncated, 1},
		"the whole chain made again": {rewritten(t, log), head, DamageRewritten, 5},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := VerifyHead(bytes.NewReader(c.log), c.head)
			if damage, line := damageOf(err); damage != c.want || line != c.line || (err == nil) != (c.want == "") {
				t.Errorf("%v", err)
			}
		})
	}
}

// rewritten changes the first record and computes all hashes anew: a chain that is unbroken.
func rewritten(t *testing.T, log []byte) []byte {
	t.Helper()
	var out []byte
	tail := Head{Hash: genesis}
	for i, rec := range records(t, log) {
		if i == 0 {
			rec.Actor = "somebody-else"
		}
		evidence, err := canonicalEvidence(rec.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		rec.Prev = tail.Hash
		out, rec.Hash = encode(out, &rec, evidence)
		tail = rec.Head()
	}
	if _, err := Verify(bytes.NewReader(out)); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnyChangeOfOneByteIsDetected(t *testing.T) {
	log := chain(t, 8)
	rapid.Check(t, func(t *rapid.T) {
		bad := bytes.Clone(log)
		bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
		if _, err := Verify(bytes.NewReader(bad)); !errors.Is(err, ErrBroken) {
			t.Fatalf("not detected: %v", err)
		}
	})
}

// Every byte, each time another bit.
func TestEveryByteOfARecordCounts(t *testing.T) {
	log := chain(t, 2)
	for at := range log {
		flip := byte(1) << (at % 8)
		log[at] ^= flip
		if _, err := Verify(bytes.NewReader(log)); !errors.Is(err, ErrBroken) {
			t.Fatalf("byte %d: %v", at, err)
		}
		log[at] ^= flip
	}
}

func TestAnyEditOfLinesIsDetected(t *testing.T) {
	l := lines(chain(t, 12))
	rapid.Check(t, func(t *rapid.T) {
		out := slices.Clone(l)
		at := func(label string, max int) int { return rapid.IntRange(0, max).Draw(t, label) }
		switch rapid.SampledFrom([]string{"remove", "swap", "repeat", "insert"}).Draw(t, "edit") {
		case "remove": // but not the end: that needs a head
			i := at("from", len(l)-2)
			out = slices.Delete(out, i, i+1+at("more", len(l)-2-i))
		case "swap":
			i, j := at("i", len(l)-1), at("j", len(l)-1)
			if i == j {
				t.Skip("no edit")
			}
			out[i], out[j] = out[j], out[i]
		case "repeat":
			out = slices.Insert(out, at("to", len(l)), l[at("line", len(l)-1)])
		case "insert":
			text := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "text")
			out = slices.Insert(out, at("to", len(l)), append(text, '\n'))
		}
		if _, err := Verify(bytes.NewReader(bytes.Join(out, nil))); !errors.Is(err, ErrBroken) {
			t.Fatalf("not detected: %v", err)
		}
	})
}

func TestAnyTruncationIsDetectedByTheHeadFile(t *testing.T) {
	log := chain(t, 6)
	head := records(t, log)[5].Head()
	path := place(t, log, head)
	rapid.Check(t, func(rt *rapid.T) {
		write(t, path, log[:rapid.IntRange(0, len(log)-1).Draw(rt, "size")])
		if _, err := VerifyFile(path); !errors.Is(err, ErrBroken) {
			rt.Fatalf("VerifyFile: %v", err)
		}
		if _, err := Open(path, Options{}); !errors.Is(err, ErrBroken) {
			rt.Fatalf("Open: %v", err)
		}
	})
}

func TestReadYieldsGoodRecordsAndThenTheError(t *testing.T) {
	l := lines(chain(t, 5))
	log := bytes.Join([][]byte{l[0], l[1], l[3]}, nil)
	n := 0
	var last error
	for rec, err := range Read(bytes.NewReader(log)) {
		if last = err; err == nil {
			n++
			if rec.Seq != uint64(n) {
				t.Errorf("record %d at place %d", rec.Seq, n)
			}
		}
	}
	if damage, line := damageOf(last); n != 2 || damage != DamageRemoved || line != 3 {
		t.Errorf("%d records, %v", n, last)
	}
	for range Read(bytes.NewReader(log)) {
		break // stopping early is no error
	}
}

func TestAnErrorOfTheReaderIsNotTakenForDamage(t *testing.T) {
	cause := errors.New("disk on fire")
	log := chain(t, 3)
	for _, n := range []int{0, len(log) / 2, len(log)} {
		_, err := Verify(io.MultiReader(bytes.NewReader(log[:n]), iotest.ErrReader(cause)))
		if !errors.Is(err, cause) || errors.Is(err, ErrBroken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestHeadsAreReadAsTheyAreWritten(t *testing.T) {
	good := Head{Seq: 12, Hash: strings.Repeat("ab", 32)}
	for text, want := range map[string]Head{good.String(): good, Head{}.String(): {Hash: genesis}} {
		if got, err := ParseHead(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "12", "12:", "x:" + good.Hash, "12:" + strings.ToUpper(good.Hash), "-1:" + good.Hash,
		"12:" + good.Hash + "0", "0:" + good.Hash, "3:" + genesis} {
		if _, err := ParseHead(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

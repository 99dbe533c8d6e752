package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The table of RFC 8785, appendix B.
func TestNumbersAreSpelledAsRFC8785Says(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0",
		0x8000000000000000: "0",
		0x0000000000000001: "5e-324",
		0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555555: "333333333.3333333",
		0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got := formatNumber(math.Float64frombits(bits)); got != want {
			t.Errorf("%016x: got %s, want %s", bits, got, want)
		}
	}
}

func TestEvidenceIsEncodedCanonically(t *testing.T) {
	type nested struct {
		B int    `json:"b"`
		A string `json:"a"`
	}
	for name, c := range map[string]struct {
		in   map[string]any
		want string
		err  error
	}{
		"nothing is an empty object":    {nil, `{}`, nil},
		"members are sorted":            {map[string]any{"b": 1, "a": 2, "B": 3}, `{"B":3,"a":2,"b":1}`, nil},
		"members sort by UTF-16 units":  {map[string]any{"\ufb33": 1, "\U0001F600": 2}, "{\"\U0001F600\":2,\"\ufb33\":1}", nil},
		"structs go by their tags":      {map[string]any{"x": nested{1, "<&>"}}, `{"x":{"a":"<&>","b":1}}`, nil},
		"control characters":            {map[string]any{"x": "\x00\b\t\n\v\f\r\x1f\"\\/\u007f\u2028"}, `{"x":"\u0000\b\t\n\u000b\f\r\u001f\"\\/` + "\u007f\u2028" + `"}`, nil},
		"bytes that are not UTF-8":      {map[string]any{"x": "a\xffb"}, "{\"x\":\"a\ufffdb\"}", nil},
		"floats and literals normalise": {map[string]any{"x": []any{1.0, 0.05, json.Number("1.50"), json.Number("1E2")}}, `{"x":[1,0.05,1.5,100]}`, nil},
		"an exact big integer":          {map[string]any{"x": int64(1) << 60}, ``, ErrInvalid},
		"the largest safe integer":      {map[string]any{"x": int64(1)<<53 - 1}, `{"x":9007199254740991}`, nil},
		"an integer no double holds":    {map[string]any{"x": uint64(1)<<53 + 1}, ``, ErrInvalid},
		"not a number":                  {map[string]any{"x": math.NaN()}, ``, ErrInvalid},
		"out of range":                  {map[string]any{"x": json.Number("1e999")}, ``, ErrInvalid},
		"a function":                    {map[string]any{"x": func() {}}, ``, ErrInvalid},
		"nested too deep":               {map[string]any{"x": deep(maxDepth + 1)}, ``, ErrTooLarge},
		"at the depth limit":            {map[string]any{"x": deep(1)}, `{"x":[]}`, nil},
		"too large":                     {map[string]any{"x": strings.Repeat("a", MaxEvidence)}, ``, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := canonicalEvidence(c.in)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func deep(n int) any {
	v := []any{}
	for range n - 1 {
		v = []any{v}
	}
	return v
}

func TestEvidenceOfExactlyTheLimitIsAccepted(t *testing.T) {
	b, err := canonicalEvidence(map[string]any{"x": strings.Repeat("a", MaxEvidence-len(`{"x":""}`))})
	if err != nil || len(b) != MaxEvidence {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}

// anEntry draws entries with hostile text.
func anEntry() *rapid.Generator[Entry] {
	text := rapid.StringN(0, 20, 100)
	value := rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }),
		rapid.Map(rapid.Float64Range(-1e300, 1e300), func(f float64) any { return f }),
		rapid.Map(rapid.Int32(), func(i int32) any { return i }),
		rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any]([]any{}),
		rapid.Map(rapid.MapOfN(text, text, 0, 3), func(m map[string]string) any { return m }),
		rapid.Map(rapid.SliceOfN(text, 0, 3), func(s []string) any { return s }),
	)
	return rapid.Custom(func(t *rapid.T) Entry {
		return Entry{
			Key:     rapid.StringN(1, 20, 100).Draw(t, "key"),
			Phase:   rapid.SampledFrom([]Phase{PhaseIntent, PhaseOutcome, PhaseDecision}).Draw(t, "phase"),
			Action:  rapid.SampledFrom([]Action{ActionApply, ActionHeal, "x-2"}).Draw(t, "action"),
			Subject: Subject{text.Draw(t, "repository"), text.Draw(t, "team"), text.Draw(t, "model"), text.Draw(t, "environment")},
			Actor:   rapid.StringN(1, 20, 100).Draw(t, "actor"), Commit: text.Draw(t, "commit"),
			Digest: text.Draw(t, "digest"), Reason: text.Draw(t, "reason"),
			Evidence: rapid.MapOfN(text, value, 0, 4).Draw(t, "evidence"),
		}
	})
}

func TestWhatIsEncodedIsParsedBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := prepare(anEntry().Draw(t, "entry"))
		if err != nil {
			t.Fatal(err)
		}
		want := Record{Version: 1, Seq: rapid.Uint64Min(1).Draw(t, "seq"), Time: clock()(), Entry: p.Entry, Prev: genesis}
		var text []byte
		text, want.Hash = encode(nil, &want, p.evidence)
		var l line
		if err := parseLine(bytes.TrimSuffix(text, []byte{'\n'}), &l); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		got, err := l.record()
		if err != nil || !l.sealed() || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %#v\nwant %#v (%v)", got, want, err)
		}
	})
}

// The hash can be computed without this package, by the rule in the package documentation.
func TestAnotherImplementationComputesTheSameHash(t *testing.T) {
	for _, text := range lines(chain(t, 3)) {
		var tree map[string]any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		want := tree["hash"]
		delete(tree, "hash")
		again, err := json.Marshal(tree) // sorts members; these records need no escapes
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(again)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("got %s, want %v", got, want)
		}
	}
}

// What the parser accepts has one spelling: encoding it again gives the same bytes, and encoding/json
// reads the same values from it.
func FuzzParseLine(f *testing.F) {
	for _, l := range lines(chain(f, 2)) {
		f.Add(bytes.TrimSuffix(l, []byte{'\n'}))
	}
	p, err := prepare(Entry{
		Key: "k\u20ac", Phase: "intent", Action: "heal", Actor: "\"\\\n\x01", Reason: "\U0001F600",
		Evidence: map[string]any{"a": []any{1.5e-9, nil, true, map[string]any{"z": -1, "\ufb33": "", "\U0001F600": 1e21}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	rec := Record{Seq: 7, Time: clock()(), Entry: p.Entry, Prev: genesis}
	text, _ := encode(nil, &rec, p.evidence)
	f.Add(bytes.TrimSuffix(text, []byte{'\n'}))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l line
		if parseLine(text, &l) != nil {
			return
		}
		rec, err := l.record()
		if err != nil {
			t.Fatalf("accepted but not decoded: %v", err)
		}
		evidence := []byte("{}")
		if rec.Evidence != nil {
			if evidence, err = appendValue(nil, rec.Evidence, 0); err != nil {
				t.Fatalf("accepted but not encoded: %v", err)
			}
		}
		again, hash := encode(nil, &rec, evidence)
		sealed := l.sealed()
		if sealed != (hash == rec.Hash) || sealed && !bytes.Equal(again, append(bytes.Clone(text), '\n')) {
			t.Fatalf("second spelling:\n%s\n%s", text, again)
		}
		// With its own hash put in, the line must be identical.
		l.hash = []byte(`"` + hash + `"`)
		fixed := append(append(append(bytes.Clone(text[:l.hashAt]), `"hash":"`+hash+`",`...), text[l.hashEnd:]...), '\n')
		if !bytes.Equal(again, fixed) {
			t.Fatalf("second spelling:\n%s\n%s", fixed, again)
		}
		var std Record
		if err := json.Unmarshal(text, &std); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if std.Key != rec.Key || std.Reason != rec.Reason || std.Seq != rec.Seq || std.Subject != rec.Subject || !std.Time.Equal(rec.Time) {
			t.Fatalf("encoding/json reads %#v, not %#v", std, rec)
		}
	})
}

// Verify must end without panic on anything.
func FuzzVerify(f *testing.F) {
	f.Add(chain(f, 3))
	f.Add([]byte("{}\n\n\x00"))
	f.Fuzz(func(t *testing.T, log []byte) {
		report, err := Verify(bytes.NewReader(log))
		if err == nil && report.Bytes != int64(len(log)) {
			t.Fatalf("accepted, but covers %d of %d bytes", report.Bytes, len(log))
		}
		if err != nil && !errors.Is(err, ErrBroken) {
			t.Fatalf("not a BrokenError: %v", err)
		}
	})
}

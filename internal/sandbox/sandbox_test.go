package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

const header = "package mooring\n\nimport rego.v1\n\n"

func checker(t *testing.T) *Checker {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRulesAreCheckedElsewhere(t *testing.T) {
	c := checker(t)
	for range 2 { // the second time from memory
		got, err := c.Check(t.Context(), map[string][]byte{
			"policy/a.rego":      []byte(header + `deny contains {"msg": "no"} if input.bad`),
			"policy/a_test.rego": []byte(header + "test_bad if count(deny) == 1 with input as {\"bad\": true}\n\ntest_wrong if {\n\tcount(deny) == 1 with input as {}\n}\n"),
		})
		if err != nil || len(got.Findings) > 0 || got.Failure != "" {
			t.Fatal(err, got)
		}
		if len(got.Tests) != 2 || !got.Tests[0].Passed || got.Tests[1].Passed || got.Tests[1].FailedLine != 8 {
			t.Errorf("%+v", got.Tests)
		}
	}
	got, err := c.Check(t.Context(), map[string][]byte{"policy/a.rego": []byte("nonsense")})
	if err != nil || len(got.Findings) != 1 || got.Findings[0].File != "policy/a.rego" || got.Findings[0].Line != 1 {
		t.Error(err, got)
	}
}

// doubled is a chain of values of which each holds the one before it twice.
func doubled(times int, step string) string {
	var b strings.Builder
	b.WriteString("test_bomb if {\n\tx0 := [1, 2]\n")
	for i := range times {
		fmt.Fprintf(&b, "\tx%d := %s\n", i+1, strings.ReplaceAll(step, "X", fmt.Sprintf("x%d", i)))
	}
	return b.String()
}

// TestHostileRulesEndWithoutHarm has one case for each way that was found to
// bring down, fill or occupy a process that compiles or tests rules. None may
// take this process with it, pass, or last.
func TestHostileRulesEndWithoutHarm(t *testing.T) {
	body := func(rule string) string { _, body, _ := strings.Cut(rule, "{\n"); return body }
	levels := doubled(60, "[X, X]")
	for name, rules := range map[string]string{
		"an array doubled sixty times":      doubled(60, "array.concat(X, X)") + "\tcount(x60) > 0\n}",
		"a range without end":               "test_bomb if count(numbers.range(1, 1000000000000)) > 0",
		"a wide format, many times":         `test_bomb if count(sprintf("` + strings.Repeat("%1000000d", 20000) + `", [` + strings.Repeat("1,", 20000) + `])) > 0`,
		"one argument, many times":          "big := concat(\"\", [x | some i in numbers.range(1, 100000); x := \"0123456789\"])\n\ntest_bomb if count(sprintf(\"" + strings.Repeat("%[1]s", 100000) + `", [big])) > 0`,
		"a product of three comprehensions": "test_bomb if count([x | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); some c in numbers.range(1, 3000); x := [a, b, c]]) > 0",
		"a walk over what holds itself":     levels + "\tcount([1 | walk(x60, _)]) > 0\n}",
		"two equal values of sixty levels":  levels + strings.ReplaceAll(body(levels), "x", "y") + "\tx60 == y60\n}",
		"sixty levels, written out":         levels + "\tcount(json.marshal(x60)) > 0\n}",
		"a test that yields sixty levels":   "test_bomb := x if {\n" + body(levels) + "\tx := x60\n}",
		"a shift by a billion":              "test_bomb if bits.lsh(1, 1000000000000) > 0",
		"a number with a billion digits":    "test_bomb if floor(to_number(\"1e999999999\")) > 0",
		"a template without end":            `test_bomb if strings.render_template("{{range $i, $e := .a}}{{printf \"%1000000d\" 1}}{{end}}", {"a": numbers.range(1, 100000)}) != ""`,
		"a deep nest":                       "test_bomb if " + strings.Repeat("[", 99000) + strings.Repeat("]", 99000),
		"a long sum":                        "test_bomb if 1 " + strings.Repeat("+ 1 ", 200000) + " > 0",
		"many with":                         "test_bomb if false " + strings.Repeat("with input as 1 ", 50000),
		"nested comprehensions":             "test_bomb if count(" + strings.Repeat("[x | x := ", 20000) + "1" + strings.Repeat("]", 20000) + ") > 0",
		"a long else":                       "test_bomb := 1 if false " + strings.Repeat("else := 2 if false ", 50000),
	} {
		t.Run(name, func(t *testing.T) {
			c := checker(t)
			c.limit = 3 * time.Second
			begin := time.Now()
			got, err := c.Check(t.Context(), map[string][]byte{"policy/a_test.rego": []byte(header + rules)})
			took := time.Since(begin)
			passed := err == nil && got.Failure == "" && len(got.Findings) == 0
			var said string
			for _, r := range got.Tests {
				passed = passed && r.Passed
				said = r.Message
			}
			t.Logf("%s: %v %.90s %.90q %.90s", took.Round(time.Millisecond), err, got.Failure, fmt.Sprint(got.Findings), said)
			if passed {
				t.Error("it passed")
			}
			if took > c.limit+30*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestInputsAreEvaluatedElsewhere(t *testing.T) {
	c := checker(t)
	files := map[string][]byte{"policy/a.rego": []byte(header + `deny contains {"msg": "no", "code": "a"} if input.bad`)}
	got, err := c.Try(t.Context(), files, []any{map[string]any{"bad": true}, map[string]any{"bad": false}})
	if err != nil || len(got) != 2 || len(got[0].Result.Deny) != 1 || got[0].Result.Deny[0].Code != "a" || len(got[1].Result.Deny) != 0 {
		t.Error(err, got)
	}
	files["policy/b.rego"] = []byte(header + `warn contains input.bad`)
	got, err = c.Try(t.Context(), files, []any{map[string]any{"bad": 1}})
	if err != nil || len(got) != 1 || got[0].Fault == nil || got[0].Fault.File != "policy/b.rego" || got[0].Fault.Line != 5 {
		t.Error(err, got)
	}
}

func TestACheckThatIsCalledOffIsNotRemembered(t *testing.T) {
	c := checker(t)
	files := map[string][]byte{"policy/a.rego": []byte(header + `deny contains {"msg": "no"} if input.bad`)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Check(ctx, files); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got, err := c.Check(t.Context(), files); err != nil || len(got.Findings) > 0 {
		t.Error(err, got)
	}
}

func TestChecksTakeTurnsAndForget(t *testing.T) {
	c := checker(t)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if _, err := c.Check(t.Context(), map[string][]byte{"policy/a.rego": fmt.Appendf(nil, "%sx := %d", header, i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 2 * maxRemembered {
		c.remember([32]byte{byte(i)}, outcome{})
	}
	if len(c.remembered) > maxRemembered {
		t.Errorf("%d are remembered", len(c.remembered))
	}
}

func TestWhatTookTooLongIsTriedAgainLater(t *testing.T) {
	c := checker(t)
	now := time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)
	c.now, c.limit = func() time.Time { return now }, time.Nanosecond
	files := map[string][]byte{"policy/a.rego": []byte(header + `deny contains {"msg": "no"} if input.bad`)}
	if _, err := c.Check(t.Context(), files); !errors.Is(err, ErrTime) {
		t.Fatal(err)
	}
	c.limit = timeLimit
	if _, err := c.Check(t.Context(), files); !errors.Is(err, ErrTime) {
		t.Errorf("it is tried again at once: %v", err)
	}
	now = now.Add(timeRemembered)
	if got, err := c.Check(t.Context(), files); err != nil || len(got.Findings) > 0 {
		t.Errorf("it is not tried again: %v, %v", got, err)
	}
}

package schemas

import (
	"strings"
	"testing"
)

func TestASyntaxErrorNamesItsPlaceAndWhatWasExpected(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		at   Position
		want string // of the message and remedy
	}{
		"a brace that is not closed is where it begins": {
			"a: 1\nb:\n  c: {x: 1, y: 2\n  d: 3\n", Position{3, 1},
			"did not find expected ',' or '}' up to line 4, in the mapping in braces that begins here; close it with }",
		},
		"on the first line too": {"a: {x: 1\nb: 3\n", Position{1, 1}, "up to line 2, in the mapping in braces that begins here"},
		"and to the end of the file": {
			"a: 1\nb: {x: 1\n\n\n", Position{2, 1}, "up to the end of the file, in the mapping in braces that begins here",
		},
		"a bracket that is not closed": {"a: 1\nb: [x, y\nc: 3\nd: 4\n", Position{2, 1}, "did not find expected ',' or ']' up to line 3, in the list"},
		"a comma that is missing far down": {
			"{\n\"a\": 1,\n\"b\": 2\n\"c\": 3}\n", Position{4, 1}, "did not find expected ',' or '}', in the mapping in braces that begins on line 1",
		},
		"an indent that is too small": {
			"a: 1\nspec:\n  team: x\n  model:\n    name: y\n   version: z\n", Position{6, 1},
			"did not find expected key, in the block that begins on line 3; indent the line",
		},
		"the same in the first block": {"a:\n   b: 1\n c: 1\n", Position{3, 1}, "did not find expected key, in the block that begins on line 1"},
		"an indent that is too large": {
			"a: 1\nspec:\n  team: x\n   env: y\n", Position{4, 1}, "mapping values are not allowed in this context; indent the key as those beside it",
		},
		"a text after a closed quote": {"a: 1\nb: 'x' y\nc: 1\n", Position{2, 1}, "did not find expected key, in the block that begins on line 1"},
		"a list that is not gone on with": {
			"a: 1\nl:\n  - x\n  y: 1\n", Position{4, 1}, "did not find expected '-' indicator, in the list that begins on line 3; begin the line with -",
		},
		"a tab for an indent":          {"a: 1\nspec:\n\tteam: x\n", Position{3, 1}, "found character that cannot start any token; a tab: indent with spaces"},
		"a tab after spaces":           {"a: 1\nspec:\n  \tteam: x\n", Position{3, 3}, "a tab: indent with spaces"},
		"a tab after a text":           {"a: 1\nspec:\n  team: x\n\tenv: y\n", Position{4, 1}, "found a tab character that violates indentation; a tab: indent with spaces"},
		"a sign that begins nothing":   {"a: 1\nb: @x\n", Position{2, 1}, "found character that cannot start any token; quote a text that begins like this"},
		"such a sign after a tab":      {"a: 1\nb: {\n\t@x}\n", Position{3, 1}, "quote a text that begins like this"},
		"a quote that is not closed":   {"a: 1\nb: \"x\nc: d\ne: f\n", Position{2, 1}, "found unexpected end of stream up to the end of the file, in the text in quotes that begins here; close"},
		"a word that is no key":        {"a: 1\nb\nc: d\n", Position{2, 1}, "could not find expected ':'; write it as a key"},
		"a bracket that closes none":   {"a: 1\nb: ]\n", Position{2, 1}, "did not find expected node content"},
		"a second mapping":             {"{a: 1}\nb: 2\n", Position{2, 1}, "did not find expected <document start>"},
		"an escape that is none":       {"a: 1\nb: \"\\q\"\n", Position{2, 1}, "found unknown escape character; double the backslash"},
		"a control character":          {"a: 1\n\nb: x\x01\n", Position{3, 5}, "control characters are not allowed; remove the character"},
		"lines that end as on Windows": {"a: 1\r\nb:\r\n  c: {x: 1\r\n  d: 3\r\n", Position{3, 1}, "up to line 4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := readTree("f.yaml", []byte(c.text))
			expectOne(t, findings, CodeSyntax, c.at)
			if got := findings[0].String(); !strings.Contains(got, "not valid YAML: ") || !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestASyntaxErrorRepeatsNothingOfTheFile(t *testing.T) {
	for text, want := range map[string]string{
		"cannot decode !!int `hunter2` as a !!float":   "cannot decode !!int (...) as a !!float",
		"found 'hunter2' where \"swordfish\" belongs":  "found (...) where (...) belongs",
		"did not find expected ',' or ']'":             "did not find expected ',' or ']'",
		"did not find expected digit or '.' character": "did not find expected digit or '.' character",
	} {
		if got := masked(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

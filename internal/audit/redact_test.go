package audit

import (
	"errors"
	"strings"
	"testing"
)

// Secrets are put together here so that scanners do not take this file for a leak.
var (
	gitHubToken = "gh" + "p_" + strings.Repeat("a1B2", 9)
	pemKey      = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n-----END RSA " + "PRIVATE KEY-----"
	jwt         = "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
	blobA       = strings.Repeat("ab", 20)
	blobB       = strings.Repeat("0f", 20)
	awsKey      = "AK" + "IAIOSFODNN7EXAMPLE"
)

func TestSecretsAreRedactedFromEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		in   map[string]any
		want string
	}{
		"by name":                      {map[string]any{"password": "x"}, `{"password":"[redacted]"}`},
		"by part of a name":            {map[string]any{"githubToken": "x"}, `{"githubToken":"[redacted]"}`},
		"whatever the case and dashes": {map[string]any{"PRIVATE-Key": "x", "private_key": 1, "Private Key": []int{1}}, `{"PRIVATE-Key":"[redacted]","Private Key":"[redacted]","private_key":"[redacted]"}`},
		"with everything below":        {map[string]any{"secret": map[string]any{"a": "b"}}, `{"secret":"[redacted]"}`},
		"deep down":                    {map[string]any{"a": []any{map[string]any{"authorization": "x"}}}, `{"a":[{"authorization":"[redacted]"}]}`},
		"in a struct":                  {map[string]any{"a": struct{ Password, Name string }{"x", "y"}}, `{"a":{"Name":"y","Password":"[redacted]"}}`},
		"in a variable's value":        {map[string]any{"env": []any{map[string]any{"name": "DB_PASSWORD", "value": "x"}}}, `{"env":[{"name":"DB_PASSWORD","value":"[redacted]"}]}`},
		"in a drift finding":           {map[string]any{"path": "spec.env[API_TOKEN]", "before": "x", "after": "y"}, `{"after":"[redacted]","before":"[redacted]","path":"spec.env[API_TOKEN]"}`},
		"a GitHub token anywhere":      {map[string]any{"note": "used " + gitHubToken + "."}, `{"note":"used [redacted]."}`},
		"a private key":                {map[string]any{"note": pemKey}, `{"note":"[redacted]"}`},
		"half a private key":           {map[string]any{"note": pemKey[:40]}, `{"note":"[redacted]"}`},
		"a web token":                  {map[string]any{"note": jwt}, `{"note":"[redacted]"}`},
		"an access key id":             {map[string]any{"note": awsKey}, `{"note":"[redacted]"}`},
		"a password in a URL":          {map[string]any{"url": "redis://u:p@host:6379/0"}, `{"url":"redis://[redacted]@host:6379/0"}`},
		"a query parameter":            {map[string]any{"url": "https://h/?access_token=abc&x=1"}, `{"url":"https://h/?[redacted]&x=1"}`},
		"a header":                     {map[string]any{"note": "Bearer abcdefghijklmnop1234"}, `{"note":"[redacted]"}`},
		"what stood in a model's folder stays": {
			map[string]any{"approved": map[string]any{"path": "models/x/token/a.yaml", "blob": blobA, "before": blobB}},
			`{"approved":{"before":"` + blobB + `","blob":"` + blobA + `","path":"models/x/token/a.yaml"}}`,
		},
		"what was removed from a model's folder stays": {
			map[string]any{"path": "models/x/secret/a.yaml", "commit": blobA, "before": blobB},
			`{"before":"` + blobB + `","commit":"` + blobA + `","path":"models/x/secret/a.yaml"}`,
		},
		"a file's value that is no id":  {map[string]any{"path": "x/token/a.yaml", "blob": blobA, "before": "x"}, `{"before":"[redacted]","blob":"` + blobA + `","path":"x/token/a.yaml"}`},
		"a field's value like an id":    {map[string]any{"path": ".env[API_TOKEN]", "object": "Pod/a/b", "before": blobA}, `{"before":"[redacted]","object":"Pod/a/b","path":".env[API_TOKEN]"}`},
		"a yes or no stays":             {map[string]any{"path": ".automountServiceAccountToken", "before": "false", "after": "true"}, `{"after":"true","before":"false","path":".automountServiceAccountToken"}`},
		"a yes of the name of a secret": {map[string]any{"token": true}, `{"token":"[redacted]"}`},
		"innocent members stay":         {map[string]any{"name": "churn", "value": "v", "author": "a"}, `{"author":"a","name":"churn","value":"v"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := canonicalEvidence(c.in)
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestSecretsAreRedactedFromTheReasonAndNeverReachTheFile(t *testing.T) {
	path := logPath(t)
	l := open(t, path, Options{})
	e := entry(1)
	e.Reason = "push failed: https://bot:hunter22@example.com refused " + gitHubToken
	e.Evidence = map[string]any{"apiKey": "hunter22"}
	rec := mustAppend(t, l, e)
	if want := "push failed: https://[redacted]@example.com refused [redacted]"; rec.Reason != want {
		t.Errorf("reason %q", rec.Reason)
	}
	if text := string(read(t, path)); strings.Contains(text, "hunter22") || strings.Contains(text, gitHubToken) {
		t.Errorf("secret in the file: %s", text)
	}
	if again := mustAppend(t, l, e); again.Seq != rec.Seq {
		t.Errorf("a retry with the secret made record %d", again.Seq)
	}
	e.Evidence["apiKey"] = "another"
	if again := mustAppend(t, l, e); again.Seq != rec.Seq {
		t.Errorf("a retry that differs in a secret only made record %d", again.Seq)
	}
}

// One version may write a record and be killed, and the next one redact otherwise.
func TestARecordThatAnotherVersionRedactedIsTheSame(t *testing.T) {
	l := open(t, logPath(t), Options{})
	with := func(key string, before, level any) Entry {
		e := entry(1)
		e.Key, e.Evidence = key, map[string]any{"approved": []any{map[string]any{"blob": blobA, "before": before, "level": level}}}
		return e
	}
	for name, c := range map[string]struct {
		recorded, again Entry
		want            error
	}{
		"redacted before":         {with("a", Redacted, "high"), with("a", blobB, "high"), nil},
		"redacted since":          {with("b", blobB, "high"), with("b", Redacted, "high"), nil},
		"redacted and different":  {with("c", Redacted, "high"), with("c", blobB, "low"), ErrConflict},
		"different":               {with("d", blobA, "high"), with("d", blobB, "high"), ErrConflict},
		"of another shape":        {with("e", blobA, "high"), with("e", []int{1}, "high"), ErrConflict},
		"with a member more":      {with("f", blobA, "high"), with("f", map[string]any{"x": 1}, "high"), ErrConflict},
		"the same, in an own map": {with("g", map[string]any{"x": 1}, "high"), with("g", map[string]any{"x": 1}, "high"), nil},
	} {
		rec := mustAppend(t, l, c.recorded)
		again, err := l.Append(t.Context(), c.again)
		if !errors.Is(err, c.want) || err == nil && again.Seq != rec.Seq {
			t.Errorf("%s: record %d, then %d: %v", name, rec.Seq, again.Seq, err)
		}
	}
}

func TestCallersEvidenceIsNotChanged(t *testing.T) {
	inner := map[string]any{"password": "x"}
	if _, err := canonicalEvidence(map[string]any{"a": inner}); err != nil || inner["password"] != "x" {
		t.Errorf("%v, %v", inner, err)
	}
}

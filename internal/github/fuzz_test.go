package github_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// FuzzForgedWebhook sends anything at all. Nothing makes the handler panic or
// answer 500; nothing is taken, and no hint given, without a signature that was
// made with the secret over exactly these bytes; no payload over the cap is.
func FuzzForgedWebhook(f *testing.F) {
	signed := func(body string) string { return githubtest.Sign(hookSecret, []byte(body)) }
	const push = `{"repository":{"full_name":"acme/models"}}`
	for _, signature := range []string{
		"", "sha256=", signed(push), strings.ToUpper(signed(push)), signed(push) + "00", signed(push)[:40], strings.TrimPrefix(signed(push), "sha256="),
		" " + signed(push), signed(push) + ",sha256=00", "sha1=" + strings.Repeat("0", 40), githubtest.Sign("", []byte(push)), signed(push + " "),
		"sha256=" + strings.Repeat("0", 64), "sha256=" + strings.Repeat("zz", 32), signed(""),
	} {
		f.Add("POST", "application/json", "push", "delivery", signature, []byte(push))
	}
	f.Add("GET", "application/json", "push", "delivery", signed(push), []byte(push))
	f.Add("POST", "application/json; charset=utf-8", "pull_request", "delivery", signed("{}"), []byte("{}"))
	f.Add("POST", "application/x-www-form-urlencoded", "push", "", signed("payload="), []byte("payload="))
	f.Add("POST", "application/json", "ping", strings.Repeat("d", 129), signed("null"), []byte("null"))
	f.Add("POST", "application/json", "push", "delivery", signed(strings.Repeat("[", 5000)), []byte(strings.Repeat("[", 5000)))
	f.Fuzz(func(t *testing.T, method, contentType, event, delivery, signature string, body []byte) {
		var hints []github.Hint
		h := newWebhook(t, &hints, nil)
		r := httptest.NewRequest(http.MethodPost, "/webhooks/a/b", bytes.NewReader(body))
		r.Method = method
		for name, value := range map[string]string{
			"Content-Type": contentType, "X-GitHub-Event": event, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": signature,
		} {
			r.Header.Set(name, value)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		taken := rec.Code < 300
		if rec.Code >= 500 || rec.Code >= 300 && rec.Code < 400 || rec.Body.Len() > 4096 {
			t.Errorf("answered %d with %d bytes", rec.Code, rec.Body.Len())
		}
		if taken && (!genuine(signature, body) || len(body) > 4096 || method != http.MethodPost) {
			t.Errorf("took %s of %d bytes, signed %q", method, len(body), signature)
		}
		if !taken && len(hints) > 0 || len(hints) > 1 {
			t.Errorf("answered %d, and hints %+v", rec.Code, hints)
		}
	})
}

// genuine says by GitHub's own rule whether a signature is of these bytes.
func genuine(signature string, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	given, found := strings.CutPrefix(signature, "sha256=")
	return found && strings.EqualFold(given, hex.EncodeToString(mac.Sum(nil)))
}

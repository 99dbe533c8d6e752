package contract

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTheCheckerNotices makes sure that the other tests could fail.
func TestTheCheckerNotices(t *testing.T) {
	const errorBody = `{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}`
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		answer                   string
		says                     string // "" for nothing wrong
	}{
		{"a good refusal", "GET", "/repos/a/b/pulls/1", "", 404, errorBody, ""},
		{"an undescribed path", "GET", "/repos/a/b/pulls/1/nonsense", "", 200, "{}", "describes no"},
		{"a misspelt query parameter", "GET", "/repos/a/b/pulls?stat=open", "", 200, "[]", `query parameter "stat"`},
		{"a query value outside its enumeration", "GET", "/repos/a/b/pulls?state=merged", "", 200, "[]", "state"},
		{"an unknown field in a request", "POST", "/repos/a/b/statuses/c", `{"state":"success","url":"x"}`, 404, errorBody, "url"},
		{"a request without a required field", "POST", "/repos/a/b/statuses/c", `{"context":"x"}`, 404, errorBody, "state"},
		{"an answer without a required field", "GET", "/rate_limit", "", 200, `{"rate":{"limit":1,"remaining":1,"reset":1}}`, "resources"},
		{"an answer of the wrong type", "GET", "/repos/a/b/pulls", "", 200, `{}`, "array"},
		{"an undescribed success", "GET", "/repos/a/b/pulls", "", 202, `[]`, "no such status"},
		{"an error without a message", "GET", "/repos/a/b/pulls/1/files", "", 404, `{}`, "message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				if _, err := w.Write([]byte(tc.answer)); err != nil {
					t.Error(err)
				}
			}))
			defer s.Close()
			c := newChecker(t)
			var said []string
			c.report = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
			req, err := http.NewRequestWithContext(t.Context(), tc.method, s.URL+"/api/v3"+tc.path, strings.NewReader(tc.body))
			ok(t, err)
			req.Header.Set("Authorization", "Bearer x")
			resp, err := c.RoundTrip(req)
			ok(t, err)
			ok(t, resp.Body.Close())
			if all := strings.Join(said, "\n"); (tc.says == "") != (all == "") || !strings.Contains(all, tc.says) {
				t.Errorf("it said %q, want %q", all, tc.says)
			}
		})
	}
}

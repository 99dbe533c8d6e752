package githubtest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a JSON object in an answer.
type object = map[string]any

// call is one API request while the server's state is locked for it.
type call struct {
	s    *Server
	r    *http.Request
	body []byte
	who  principal
	repo *repo // of routes below /repos/{owner}/{repo}
	head http.Header
	// trouble is what the fault layer has in mind for it.
	trouble trouble
}

// endpoint is one route of the API and what it asks of the caller.
type endpoint struct {
	pattern string     // of http.ServeMux, without the /api/v3 in front
	need    Permission // in the repository named by the path
	scope   string     // what an App needs, such as "statuses:write"; empty when it needs nothing
	serve   func(*call) (int, any, error)
}

// maxRequestBody is far above anything the API takes.
const maxRequestBody = 32 << 20

func (s *Server) serveAPI(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
		if err != nil {
			s.answer(w, r, http.Header{}, http.StatusRequestEntityTooLarge, refuse(413, "Payload too large").body())
			return
		}
		if s.injectFault(w, r) {
			return
		}
		c := &call{s: s, r: r, body: body, head: http.Header{}}
		c.trouble = s.fate(r)
		if !c.trouble.after && s.suffer(w, r, c.trouble) {
			return
		}
		status, result, err := s.perform(c, e)
		if c.trouble.after && s.suffer(w, r, c.trouble) {
			return
		}
		var refusal *apiError
		var limited *gqlError
		switch {
		case errors.As(err, &limited): // GraphQL tells of its limits in an answer of its own kind
			status, result = http.StatusOK, object{"errors": []any{object{"type": limited.kind, "message": limited.message}}}
		case errors.As(err, &refusal):
			for k, v := range refusal.header {
				c.head[k] = v
			}
			status, result = refusal.status, refusal.body()
		case err != nil:
			status, result = http.StatusInternalServerError, refuse(500, "Server Error: %v", err).body()
		}
		s.answer(w, r, c.head, status, result)
	}
}

// perform checks the caller and runs the endpoint, all under the lock.
func (s *Server) perform(c *call, e endpoint) (int, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if c.who, err = s.authenticate(c.r); err != nil {
		s.record(c)
		return 0, nil, err
	}
	s.record(c)
	if err := s.countRate(c); err != nil {
		return 0, nil, err
	}
	if err := c.authorize(e); err != nil {
		return 0, nil, err
	}
	return e.serve(c)
}

// answer writes JSON with an ETag, and 304 when the caller has that answer already.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, head http.Header, status int, result any) {
	for k, v := range head {
		w.Header()[k] = v
	}
	w.Header().Set("X-GitHub-Media-Type", "github.v3; format=json")
	w.Header().Set("X-GitHub-Enterprise-Version", "3.19.0")
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(result)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status == http.StatusOK && r.Method == http.MethodGet {
		// As on GitHub the tag differs from token to token, and a new page behind this one does not change it.
		sum := sha256.Sum256(append([]byte(r.Header.Get("Authorization")+"\n"), body...))
		etag := fmt.Sprintf(`W/"%x"`, sum)
		w.Header().Set("ETag", etag)
		w.Header().Set("Cache-Control", "private, max-age=60, s-maxage=60")
		w.Header().Set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
		if r.Header.Get("If-None-Match") == etag {
			s.refundRate(w, r)
			w.Header().Del("Link") // a 304 speaks of this page alone
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		return // the caller has gone; nobody is left to tell
	}
}

// decode reads the request's JSON body; no body at all is an empty object.
func (c *call) decode(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

func (c *call) path(name string) string { return c.r.PathValue(name) }

// number reads a numeric path segment; what is none names nothing.
func (c *call) number(name string) (int64, error) {
	n, err := strconv.ParseInt(c.path(name), 10, 64)
	if err != nil {
		return 0, notFound()
	}
	return n, nil
}

const maxPageSize = 100

// page cuts one page out of a list and sets the Link header.
func page[T any](c *call, all []T, show func(T) any) ([]any, error) {
	size, number, err := c.pageOf()
	if err != nil {
		return nil, err
	}
	all = all[:c.s.layer.shortened(len(all), c.trouble)]
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	c.link(number, (len(all)+size-1)/size)
	list := make([]any, 0, to-from)
	for _, item := range all[from:to] {
		list = append(list, show(item))
	}
	return list, nil
}

func (c *call) pageOf() (size, number int, err error) {
	if size, err = c.queryInt("per_page", 30); err != nil {
		return 0, 0, err
	}
	if number, err = c.queryInt("page", 1); err != nil {
		return 0, 0, err
	}
	if size > maxPageSize {
		if !c.s.opts.ClampPageSize {
			return 0, 0, invalid("Search", "per_page", "custom", "per_page must be at most %d", maxPageSize)
		}
		size = maxPageSize
	}
	return size, number, nil
}

func (c *call) queryInt(name string, otherwise int) (int, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, invalid("Search", name, "invalid", "%s must be a positive number", name)
	}
	return n, nil
}

func (c *call) link(number, last int) {
	var links []string
	add := func(rel string, n int) {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		u := url.URL{Path: c.r.URL.Path, RawQuery: q.Encode()}
		links = append(links, fmt.Sprintf(`<%s%s>; rel="%s"`, c.s.api(""), u.String(), rel))
	}
	if number > 1 && last > 0 {
		add("prev", min(number-1, last))
	}
	if number < last {
		add("next", number+1)
		add("last", last)
	}
	if number > 1 {
		add("first", 1)
	}
	if len(links) > 0 {
		c.head.Set("Link", strings.Join(links, ", "))
	}
}

func tooLong(text string, limit int) bool { return utf8.RuneCountInString(text) > limit }

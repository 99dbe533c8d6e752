package github

import (
	"bytes"
	"container/list"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
)

// cacheTransport makes reads conditional: GitHub answers 304, which costs nothing of the rate limit, where it
// would repeat itself. Nothing is served without asking, so it can never be stale.
type cacheTransport struct {
	next  http.RoundTripper
	limit int

	mu      sync.Mutex
	size    int
	entries map[string]*list.Element
	recent  *list.List // of *cacheEntry, the latest used first
}

type cacheEntry struct {
	key, etag string
	header    http.Header
	body      []byte
}

func newCacheTransport(next http.RoundTripper, limit int) *cacheTransport {
	return &cacheTransport{next: next, limit: limit, entries: map[string]*list.Element{}, recent: list.New()}
}

func (t *cacheTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return t.next.RoundTrip(req)
	}
	key := req.URL.String() + " " + req.Header.Get("Accept")
	kept := t.get(key)
	if kept != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", kept.etag)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && kept != nil:
		if err := discard(resp); err != nil {
			return nil, err
		}
		return kept.response(resp), nil
	case resp.StatusCode == http.StatusOK && resp.Header.Get("ETag") != "":
		return t.keep(key, resp)
	}
	return resp, nil
}

// response is the kept answer under the fresh one's headers, among them the rate limit.
func (e *cacheEntry) response(fresh *http.Response) *http.Response {
	header := e.header.Clone()
	maps.Copy(header, fresh.Header)
	header.Set("Content-Length", strconv.Itoa(len(e.body)))
	resp := *fresh
	resp.Status, resp.StatusCode = "200 OK", http.StatusOK
	resp.Header, resp.ContentLength = header, int64(len(e.body))
	resp.Body = io.NopCloser(bytes.NewReader(e.body))
	return &resp
}

func (t *cacheTransport) keep(key string, resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) <= t.limit/4 { // one giant must not push out everything else
		t.put(&cacheEntry{key, resp.Header.Get("ETag"), resp.Header.Clone(), body})
	}
	return resp, nil
}

func (t *cacheTransport) get(key string) *cacheEntry {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.entries[key]
	if at == nil {
		return nil
	}
	t.recent.MoveToFront(at)
	return at.Value.(*cacheEntry)
}

func (t *cacheTransport) put(e *cacheEntry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := t.entries[e.key]; at != nil {
		t.drop(at)
	}
	t.entries[e.key] = t.recent.PushFront(e)
	t.size += len(e.body)
	for t.size > t.limit {
		t.drop(t.recent.Back())
	}
}

func (t *cacheTransport) drop(at *list.Element) {
	e := t.recent.Remove(at).(*cacheEntry)
	delete(t.entries, e.key)
	t.size -= len(e.body)
}

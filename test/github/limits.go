package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rate is the primary rate limit of one token.
type rate struct {
	limit, remaining int
	reset            time.Time
}

const hourlyLimit = 5000

func (s *Server) rateOf(token string) *rate {
	// Reset times are compared with the machine's clock by every client, so they follow it too.
	now := time.Now()
	r := s.rates[token]
	if r == nil {
		r = &rate{limit: hourlyLimit, remaining: hourlyLimit, reset: now.Add(time.Hour)}
		s.rates[token] = r
	}
	if !now.Before(r.reset) {
		r.remaining, r.reset = r.limit, now.Add(time.Hour)
	}
	return r
}

func (r *rate) header(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(r.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(r.remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(r.limit-r.remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(r.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

func (s *Server) countRate(c *call) error {
	if c.r.URL.Path == "/graphql" {
		return s.countPoints(c)
	}
	r := s.rateOf(c.who.token)
	if strings.HasSuffix(c.r.URL.Path, "/rate_limit") {
		r.header(c.head)
		return nil // asking is free
	}
	if r.remaining <= 0 {
		r.header(c.head)
		return refuse(http.StatusForbidden, "API rate limit exceeded for user ID %d.", c.who.account().id)
	}
	r.remaining--
	r.header(c.head)
	return nil
}

// countPoints counts a GraphQL query, which has a budget of its own. Every query of the server costs a point.
func (s *Server) countPoints(c *call) error {
	r := s.rateOf(c.who.token + " graphql")
	short := r.remaining <= 0
	if !short {
		r.remaining--
	}
	r.header(c.head)
	c.head.Set("X-RateLimit-Resource", "graphql")
	if short {
		return &gqlError{"RATE_LIMITED", fmt.Sprintf("API rate limit exceeded for user ID %d.", c.who.account().id)}
	}
	return nil
}

// SetGraphQLLimit is SetRateLimit for the points of GraphQL.
func (s *Server) SetGraphQLLimit(token string, remaining int, reset time.Time) {
	s.SetRateLimit(token+" graphql", remaining, reset)
}

// refundRate gives back what a conditional request took: a 304 costs nothing.
func (s *Server) refundRate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.authenticate(r)
	if err != nil {
		return // the token went while its answer was written
	}
	limit := s.rateOf(p.token)
	limit.remaining++
	limit.header(w.Header())
}

// SetRateLimit sets what is left of a token's hourly limit and when it is full again.
func (s *Server) SetRateLimit(token string, remaining int, reset time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rateOf(token)
	r.remaining, r.reset = remaining, reset
}

// Fault makes matching API requests fail or wait.
type Fault struct {
	Method     string        // any when empty
	Path       string        // what the path, without /api/v3, contains; any when empty
	Times      int           // how many requests it hits; 1 when zero
	Status     int           // the answer, 0 to answer as usual (after Delay)
	RetryAfter time.Duration // sent as Retry-After in whole seconds when not zero
	Message    string        // the error's message; the status' text when empty
	Delay      time.Duration // waits before answering, or until the client gives up
	// Until, when not nil, holds the answer back until it is closed: a slow server without a clock.
	Until <-chan struct{}
}

// Inject adds a fault. Faults are matched in the order in which they came.
func (s *Server) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults forgets all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) takeFault(r *http.Request) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/api/v3")
	for i, f := range s.faults {
		if (f.Method != "" && f.Method != r.Method) || !strings.Contains(path, f.Path) {
			continue
		}
		f.Times--
		hit := *f
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return hit, true
	}
	return Fault{}, false
}

// injectFault reports whether it has answered the request itself.
func (s *Server) injectFault(w http.ResponseWriter, r *http.Request) bool {
	f, hit := s.takeFault(r)
	if !hit {
		return false
	}
	var wait <-chan time.Time
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		wait = timer.C
	}
	if f.Delay > 0 || f.Until != nil {
		select {
		case <-wait:
		case <-f.Until:
		case <-r.Context().Done():
			return true
		}
	}
	if f.Status == 0 {
		return false
	}
	head := http.Header{}
	if f.RetryAfter > 0 {
		head.Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
	message := f.Message
	if message == "" {
		message = http.StatusText(f.Status)
	}
	s.answer(w, r, head, f.Status, refuse(f.Status, "%s", message).body())
	return true
}

// Request is one API request that the server has seen.
type Request struct {
	Method, Path, Login string
}

// maxRequests bounds the memory of a long demo.
const maxRequests = 20000

func (s *Server) record(c *call) {
	login := ""
	if a := c.who.account(); a != nil {
		login = a.login
	}
	if len(s.requests) >= maxRequests {
		s.requests = slices.Delete(s.requests, 0, maxRequests/2)
	}
	s.requests = append(s.requests, Request{c.r.Method, strings.TrimPrefix(c.r.URL.Path, "/api/v3"), login})
}

// Requests lists the API requests seen (the latest 10,000 to 20,000); with a method and a part of the path, only those.
func (s *Server) Requests(method, path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Request
	for _, r := range s.requests {
		if (method == "" || r.Method == method) && strings.Contains(r.Path, path) {
			list = append(list, r)
		}
	}
	return list
}

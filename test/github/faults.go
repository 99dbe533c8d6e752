package githubtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults is how badly the server behaves. Every field without another unit is a probability from 0 to 1.
//
// Each decision depends on the seed, on what it is about (the request's method and path, or the webhook's
// event and path) and on how often that has come before, and on nothing else: it is the same in every run, however
// the requests of several workers mix.
type Faults struct {
	Seed uint64
	// Logins are the accounts whose requests suffer; everybody's when empty. A test's own people are
	// best left out.
	Logins []string

	// DropWebhook loses a webhook, DuplicateWebhook sends it twice under the same id.
	DropWebhook, DuplicateWebhook float64
	// DelayWebhook holds a webhook back until one to four later ones have passed it. WaitDelivered and
	// another call of Faults let go of what is still held.
	DelayWebhook float64
	// ForgeWebhook sends, before the webhook, one by somebody without the secret: under the same delivery
	// id, or about another repository.
	ForgeWebhook float64

	// LateResource answers 404 once or twice for a pull request, or for a pushed commit, whose webhook has just gone out.
	LateResource float64
	// ServerError answers 500, 502 or 503; half of the writes that it hits have happened all the same.
	ServerError float64
	// SecondaryLimit answers 403 or 429 with Retry-After.
	SecondaryLimit float64
	// RetryAfter is a second when zero; sent in whole seconds.
	RetryAfter time.Duration
	// Slow waits for SlowBy (20 ms when zero) before answering.
	Slow   float64
	SlowBy time.Duration
	// Reset breaks the connection instead of answering; half of the writes that it hits have happened all the same.
	Reset float64
	// TruncateList leaves out the end of a list, as a replica does that lags behind, and says nothing of
	// a next page.
	TruncateList float64
	// Truncate are the ends of the paths whose lists suffer so; all when empty.
	Truncate []string
}

// Injected counts the faults that happened.
type Injected struct {
	DroppedWebhooks, DuplicatedWebhooks, DelayedWebhooks, ForgedWebhooks          int
	LateResources, ServerErrors, SecondaryLimits, SlowAnswers, Resets, ShortLists int
	// LostAnswers are writes that happened although their answer was an error or never came.
	LostAnswers int
}

// faultLayer makes the decisions. Its lock is its own: decisions fall with and without the server's.
type faultLayer struct {
	mu     sync.Mutex
	faults Faults
	count  Injected
	seen   map[string]int // how often a decision has come
	late   map[string]int // how many more requests below a path find nothing
}

// Faults makes the server misbehave from now on; the zero value ends it. Counts go on.
func (s *Server) Faults(f Faults) {
	if f.RetryAfter == 0 {
		f.RetryAfter = time.Second
	}
	if f.SlowBy == 0 {
		f.SlowBy = 20 * time.Millisecond
	}
	l := &s.layer
	l.mu.Lock()
	l.faults, l.seen, l.late = f, map[string]int{}, map[string]int{}
	l.mu.Unlock()
	s.hooks.release()
}

// Injected counts what Faults has done so far.
func (s *Server) Injected() Injected {
	s.layer.mu.Lock()
	defer s.layer.mu.Unlock()
	return s.layer.count
}

// draw gives the numbers that decide about one occurrence of a key.
func (l *faultLayer) draw(key string) *rand.Rand {
	l.seen[key]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%s#%d", key, l.seen[key]) // a hash takes everything
	return rand.New(rand.NewPCG(l.faults.Seed, h.Sum64()))
}

// trouble is what happens to one request.
type trouble struct {
	status     int // 0: answered as usual
	retryAfter time.Duration
	reset      bool
	slow       time.Duration
	after      bool // the request is carried out before it fails
	short      float64
}

func (l *faultLayer) request(method, path, login string) trouble {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.faults
	suffers := len(f.Logins) == 0 || slices.ContainsFunc(f.Logins, func(one string) bool { return strings.EqualFold(one, login) })
	if !suffers {
		return trouble{}
	}
	r := l.draw(method + " " + path)
	var t trouble
	if r.Float64() < f.Slow {
		l.count.SlowAnswers++
		t.slow = f.SlowBy
	}
	t.after = r.IntN(2) == 0 && method != http.MethodGet
	fate, which := r.Float64(), r.IntN(6)
	switch {
	case l.isLate(path):
		l.count.LateResources++
		t.status, t.after = http.StatusNotFound, false
	case fate < f.ServerError:
		l.count.ServerErrors++
		t.status = []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable}[which%3]
	case fate < f.ServerError+f.SecondaryLimit:
		l.count.SecondaryLimits++
		t.status = []int{http.StatusForbidden, http.StatusTooManyRequests}[which%2]
		t.retryAfter, t.after = f.RetryAfter, false
	case fate < f.ServerError+f.SecondaryLimit+f.Reset:
		l.count.Resets++
		t.reset = true
	case method == http.MethodGet && f.truncates(path) && r.Float64() < f.TruncateList:
		t.short = 1 - r.Float64() // never 0, which is off
	}
	if t.after && (t.status != 0 || t.reset) {
		l.count.LostAnswers++
	}
	return t
}

func (f Faults) truncates(path string) bool {
	return len(f.Truncate) == 0 || slices.ContainsFunc(f.Truncate, func(end string) bool { return strings.HasSuffix(path, end) })
}

func (l *faultLayer) off() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.faults
	return f.LateResource+f.ServerError+f.SecondaryLimit+f.Slow+f.Reset+f.TruncateList == 0
}

// fate decides about one request.
func (s *Server) fate(r *http.Request) trouble {
	if s.layer.off() {
		return trouble{}
	}
	return s.layer.request(r.Method, r.URL.Path, s.loginOf(r))
}

func (l *faultLayer) isLate(path string) bool {
	for below, left := range l.late {
		if path != below && !strings.HasPrefix(path, below+"/") {
			continue
		}
		if left == 1 {
			delete(l.late, below)
		} else {
			l.late[below] = left - 1
		}
		return true
	}
	return false
}

// shortened cuts a list of n entries at its end.
func (l *faultLayer) shortened(n int, t trouble) int {
	if t.short == 0 || n == 0 {
		return n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.ShortLists++
	return int(float64(n) * (1 - t.short))
}

// fates of a webhook.
type hookFate struct {
	drop, twice, forge bool
	hold               int // how many later webhooks pass it
	elsewhere          bool
}

// webhook decides about one webhook; about says which of the paths below /repos it makes interesting.
// The receiver's host and port, which are others in each run, decide nothing.
func (l *faultLayer) webhook(event, target string, about []string) hookFate {
	if u, err := url.Parse(target); err == nil {
		target = u.Path
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.faults
	if f.DropWebhook+f.DuplicateWebhook+f.DelayWebhook+f.ForgeWebhook+f.LateResource == 0 {
		return hookFate{}
	}
	r := l.draw(event + " " + target)
	var fate hookFate
	for _, path := range about {
		if r.Float64() < f.LateResource {
			l.late[path] = 1 + r.IntN(2)
		}
	}
	count := func(p float64, n *int) bool {
		hit := r.Float64() < p
		if hit {
			*n++
		}
		return hit
	}
	fate.forge, fate.elsewhere = count(f.ForgeWebhook, &l.count.ForgedWebhooks), r.IntN(2) == 0
	if fate.drop = count(f.DropWebhook, &l.count.DroppedWebhooks); fate.drop {
		return fate
	}
	fate.twice = count(f.DuplicateWebhook, &l.count.DuplicatedWebhooks)
	if count(f.DelayWebhook, &l.count.DelayedWebhooks) {
		fate.hold = 1 + r.IntN(4)
	}
	return fate
}

// addBadly queues a webhook with everything that may go wrong with it.
func (s *Server) addBadly(r *repo, one Delivery, about []string) {
	fate := s.layer.webhook(one.Event, one.URL, about)
	if fate.forge {
		forged := one
		forged.secret, forged.Forged = "not "+one.secret, true
		if fate.elsewhere {
			forged.ID, forged.body = guid(), []byte(strings.ReplaceAll(string(one.body), r.fullName(), "mallory/models"))
		}
		s.hooks.add(forged)
	}
	if fate.drop {
		return
	}
	copies := 1
	if fate.twice {
		copies = 2
	}
	for range copies {
		s.hooks.addLater(one, fate.hold)
	}
}

// suffer makes a request fail as decided; it reports whether it has been answered.
func (s *Server) suffer(w http.ResponseWriter, r *http.Request, t trouble) bool {
	if t.slow > 0 {
		timer := time.NewTimer(t.slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		}
	}
	switch {
	case t.reset:
		breakConnection(w)
	case t.status == http.StatusForbidden || t.status == http.StatusTooManyRequests:
		head := http.Header{"Retry-After": {strconv.Itoa(int(t.retryAfter / time.Second))}}
		s.answer(w, r, head, t.status, refuse(t.status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.").body())
	case t.status != 0:
		s.answer(w, r, http.Header{}, t.status, refuse(t.status, "%s", http.StatusText(t.status)).body())
	default:
		return false
	}
	return true
}

// breakConnection ends the connection without an answer.
func breakConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server then breaks it itself
	}
	if err := conn.Close(); err != nil {
		return // it is broken already
	}
}

// loginOf names who asks, for decisions about a request that may fail before it is looked at.
func (s *Server) loginOf(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, err := s.authenticate(r)
	if err != nil || who.account() == nil {
		return ""
	}
	return who.account().login
}

// faultyGit is Git over a connection that may fail. Nothing of a push is lost or done twice: it fails before it begins.
func (s *Server) faultyGit(w http.ResponseWriter, r *http.Request) {
	t := s.fate(r)
	t.after = false
	if t.status == http.StatusForbidden { // Git over HTTP has no secondary limits of this kind
		t.status = http.StatusTooManyRequests
	}
	if s.suffer(w, r, t) {
		return
	}
	s.serveGit(w, r)
}

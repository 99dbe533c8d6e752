package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

type webhook struct {
	id      int64
	url     string
	secret  string
	events  []string
	created time.Time
}

// Delivery is one webhook that was sent, or tried.
type Delivery struct {
	ID     string // X-GitHub-Delivery
	Event  string
	URL    string
	Status int    // 0 when nobody answered
	Error  string // why nobody answered
	Forged bool   // sent by somebody without the secret; see Faults
	body   []byte
	secret string
}

// deliverTimeout is GitHub's: a receiver has ten seconds.
const deliverTimeout = 10 * time.Second

const maxDeliveries = 10000

// deliverer sends webhooks one after another, apart from the requests that cause them.
type deliverer struct {
	mu     sync.Mutex
	idle   *sync.Cond
	queue  []Delivery
	held   []heldDelivery
	busy   bool
	drop   bool
	log    []Delivery
	errs   []error
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

func (d *deliverer) start() {
	d.idle = sync.NewCond(&d.mu)
	d.wake, d.done = make(chan struct{}, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go d.loop(ctx)
}

func (d *deliverer) stop() {
	d.cancel()
	<-d.done
}

func (d *deliverer) loop(ctx context.Context) {
	defer close(d.done)
	for {
		next, ok := d.next()
		if !ok {
			select {
			case <-d.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
		send(ctx, &next)
		d.finish(next)
	}
}

func (d *deliverer) next() (Delivery, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return Delivery{}, false
	}
	next := d.queue[0]
	d.queue = d.queue[1:]
	d.busy = true
	return next, true
}

func (d *deliverer) finish(sent Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = false
	if len(d.log) >= maxDeliveries {
		d.log = slices.Delete(d.log, 0, maxDeliveries/2)
	}
	d.log = append(d.log, sent)
	d.idle.Broadcast()
}

// heldDelivery waits until so many later ones have passed it.
type heldDelivery struct {
	Delivery
	left int
}

func (d *deliverer) add(one Delivery) { d.addLater(one, 0) }

// addLater queues a delivery, or holds it until so many later ones are queued.
func (d *deliverer) addLater(one Delivery, later int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.drop {
		return
	}
	if later > 0 {
		d.pass()
		d.held = append(d.held, heldDelivery{one, later})
		return
	}
	d.put(one) // before those that it passes
	d.pass()
}

// pass counts one delivery past those that are held.
func (d *deliverer) pass() {
	held := d.held[:0]
	for _, h := range d.held {
		if h.left--; h.left > 0 {
			held = append(held, h)
			continue
		}
		d.put(h.Delivery)
	}
	d.held = held
}

// release lets go of everything that is held.
func (d *deliverer) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letGo()
}

func (d *deliverer) letGo() {
	for _, h := range d.held {
		d.put(h.Delivery)
	}
	d.held = nil
}

func (d *deliverer) put(one Delivery) {
	d.queue = append(d.queue, one)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// fail keeps an error that happened where no request could be answered with it.
func (d *deliverer) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errs = append(d.errs, err)
}

func send(ctx context.Context, one *Delivery) {
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, one.URL, bytes.NewReader(one.body))
	if err != nil {
		one.Error = err.Error()
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "GitHub-Hookshot/0000000")
	req.Header.Set("X-GitHub-Event", one.Event)
	req.Header.Set("X-GitHub-Delivery", one.ID)
	if one.secret != "" {
		req.Header.Set("X-Hub-Signature-256", Sign(one.secret, one.body))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		one.Error = err.Error()
		return
	}
	one.Status = resp.StatusCode
	if err := resp.Body.Close(); err != nil {
		one.Error = err.Error()
	}
}

// Sign gives the X-Hub-Signature-256 of a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// DropWebhooks loses every webhook from now on, or stops losing them: GitHub never repeats a lost one.
func (s *Server) DropWebhooks(drop bool) {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	s.hooks.drop = drop
}

// Deliveries lists what was sent, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	return slices.Clone(s.hooks.log)
}

// Redeliver sends a webhook again under the same delivery id, as GitHub's button does.
func (s *Server) Redeliver(id string) error {
	for _, d := range s.Deliveries() {
		if d.ID == id {
			d.Status, d.Error = 0, ""
			s.hooks.add(d)
			return nil
		}
	}
	return fmt.Errorf("no delivery %s", id)
}

// WaitDelivered waits until every webhook has been sent and gives the errors that pushes left behind.
func (s *Server) WaitDelivered(ctx context.Context) error {
	d := &s.hooks
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.idle.Broadcast()
	})
	defer stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letGo()
	for (len(d.queue) > 0 || d.busy) && ctx.Err() == nil {
		d.idle.Wait()
	}
	errs := d.errs
	d.errs = nil
	return errors.Join(append(errs, ctx.Err())...)
}

func guid() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails on a platform that Go supports
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// emit queues an event for every webhook of the repository that wants it.
func (s *Server) emit(r *repo, event string, by *account, payload object) {
	for _, h := range r.webhooks {
		if !slices.Contains(h.events, event) && !slices.Contains(h.events, "*") && event != "ping" {
			continue
		}
		payload["repository"] = s.repoJSON(r)
		payload["sender"] = s.userOrNull(by)
		if r.owner.org != nil {
			payload["organization"] = s.orgJSON(r.owner)
		}
		body, err := json.Marshal(payload)
		if err != nil {
			s.hooks.fail(fmt.Errorf("encode a %s event: %w", event, err))
			continue
		}
		s.addBadly(r, Delivery{ID: guid(), Event: event, URL: h.url, body: body, secret: h.secret}, r.about(payload))
	}
}

// about lists the paths of the API that an event makes somebody look at.
func (r *repo) about(payload object) []string {
	var paths []string
	if shown, ok := payload["pull_request"].(object); ok {
		paths = append(paths, fmt.Sprintf("/repos/%s/pulls/%v", r.fullName(), shown["number"]))
	}
	if sha, ok := payload["after"].(string); ok {
		paths = append(paths, fmt.Sprintf("/repos/%s/commits/%s", r.fullName(), sha), fmt.Sprintf("/repos/%s/statuses/%s", r.fullName(), sha))
	}
	return paths
}

func (s *Server) emitPull(p *pull, action string, by *account) {
	full := s.pullJSON(p)
	full["merged"], full["merged_by"] = !p.merged.IsZero(), s.userOrNull(p.mergedBy)
	s.emit(p.repo, "pull_request", by, object{"action": action, "number": p.number, "pull_request": full})
}

func (s *Server) emitReview(p *pull, v *review, action string, by *account) {
	shown := s.reviewJSON(p, v)
	shown["state"] = strings.ToLower(v.state) // webhooks spell it so, the API in capitals
	s.emit(p.repo, "pull_request_review", by, object{"action": action, "review": shown, "pull_request": s.pullJSON(p)})
}

func (s *Server) emitComment(p *pull, m *comment, action string) {
	issue := object{"number": p.number, "title": p.title, "pull_request": object{"url": s.api("/repos/%s/pulls/%d", p.repo.fullName(), p.number)}}
	s.emit(p.repo, "issue_comment", m.user, object{"action": action, "issue": issue, "comment": s.commentJSON(p, m)})
}

func (s *Server) emitStatus(r *repo, sha string, st *status) {
	s.emit(r, "status", st.creator, object{
		"id": st.id, "sha": sha, "name": r.fullName(), "context": st.context, "state": st.state,
		"description": st.description, "target_url": st.targetURL, "branches": []object{},
	})
}

func (s *Server) emitPush(r *repo, u refUpdate, by *account) error {
	forced := false
	if u.before != zeroSHA && u.after != zeroSHA {
		forward, err := r.git.isAncestor(u.before, u.after)
		if err != nil {
			return err
		}
		forced = !forward
	}
	pusher := object{"name": nil, "email": nil}
	if by != nil {
		pusher = object{"name": by.login, "email": by.email}
	}
	s.emit(r, "push", by, object{
		"ref": u.ref, "before": u.before, "after": u.after, "created": u.before == zeroSHA,
		"deleted": u.after == zeroSHA, "forced": forced, "pusher": pusher, "commits": []object{},
	})
	return nil
}

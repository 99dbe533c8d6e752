package github

import (
	"container/list"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
)

// Hint says that something may have changed. It is all that is taken from a webhook: what it is about is
// then read from GitHub.
type Hint struct {
	Event       string // X-GitHub-Event, such as pull_request
	Owner, Repo string // Repo is empty for events of an organisation, such as membership
	PullRequest int    // 0 when the event names none
	Delivery    string // X-GitHub-Delivery, for the log
}

// WebhookOptions configure a Webhook.
type WebhookOptions struct {
	// Secret is the webhook's secret. It is required.
	Secret []byte
	// Enqueue takes a hint without blocking. After an error GitHub is told 503 and the delivery may come again.
	Enqueue func(Hint) error
	// MaxBody is the largest payload in bytes; GitHub's own limit, 25 MiB, when zero.
	MaxBody int64
	// Payloads bounds what all webhooks of a process hold; nil gives this one a bound of its own.
	Payloads *Payloads
	// Remember is how many delivery ids are kept to recognise repeated ones, 4,096 when zero.
	Remember int
}

const (
	githubMaxPayload  = 25 << 20
	defaultRemembered = 4096
)

// Webhook is the http.Handler that GitHub's webhooks are pointed at.
type Webhook struct {
	secret  []byte
	enqueue func(Hint) error
	maxBody int64
	held    *Payloads
	seen    *recentIDs
}

// hinted are the events that can change a decision. Statuses and comments are not among them: Mooring writes
// them itself and would only wake itself up.
var hinted = map[string]bool{
	"push": true, "pull_request": true, "pull_request_review": true, "merge_group": true,
	"membership": true, "team": true, "member": true, "organization": true, "repository": true,
}

// NewWebhook refuses to work without a secret.
func NewWebhook(opts WebhookOptions) (*Webhook, error) {
	if len(opts.Secret) == 0 {
		return nil, errors.New("github: a webhook needs a secret, or anybody could send one")
	}
	if opts.Enqueue == nil {
		return nil, errors.New("github: a webhook needs somewhere to put its hints")
	}
	if opts.MaxBody <= 0 || opts.MaxBody > githubMaxPayload {
		opts.MaxBody = githubMaxPayload
	}
	if opts.Remember <= 0 {
		opts.Remember = defaultRemembered
	}
	if opts.Payloads == nil {
		opts.Payloads = &Payloads{}
	}
	return &Webhook{opts.Secret, opts.Enqueue, opts.MaxBody, opts.Payloads, newRecentIDs(opts.Remember)}, nil
}

// refusal is an answer other than 2xx.
type refusal struct {
	status int
	text   string
}

func (w *Webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	payload := w.held.hold(http.MaxBytesReader(rw, r.Body, w.maxBody))
	defer payload.release()
	body, no := w.receive(r, payload)
	if no == nil {
		var text string
		if text, no = w.accept(r.Header, body); no == nil {
			rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
			rw.WriteHeader(http.StatusAccepted)
			if _, err := io.WriteString(rw, text+"\n"); err != nil {
				return // GitHub has hung up; the hint is taken all the same
			}
			return
		}
	}
	switch no.status {
	case http.StatusMethodNotAllowed:
		rw.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		rw.Header().Set("Retry-After", retryBusy)
	}
	http.Error(rw, no.text, no.status)
}

// retryBusy is after how many seconds to come back when there was no room.
const retryBusy = "10"

// receive reads the body and believes in nothing before the signature is checked. What has none is not read.
func (w *Webhook) receive(r *http.Request, payload io.Reader) ([]byte, *refusal) {
	if r.Method != http.MethodPost {
		return nil, &refusal{http.StatusMethodNotAllowed, "webhooks are sent by POST"}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, &refusal{http.StatusUnsupportedMediaType, "set the webhook's content type to application/json"}
	}
	signature := r.Header.Get("X-Hub-Signature-256")
	if signature == "" {
		return nil, &refusal{http.StatusUnauthorized, "X-Hub-Signature-256 is missing: set the webhook's secret on GitHub"}
	}
	body, err := io.ReadAll(payload)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errNoRoom):
		return nil, &refusal{http.StatusServiceUnavailable, "busy with other payloads: redeliver later; polling will find the change as well"}
	case errors.As(err, &tooLarge):
		return nil, &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the payload is larger than %d bytes", w.maxBody)}
	case err != nil:
		return nil, &refusal{http.StatusBadRequest, "the payload ended early"}
	}
	if no := w.verify(signature, body); no != nil {
		return nil, no
	}
	return body, nil
}

func (w *Webhook) verify(header string, body []byte) *refusal {
	hexed, found := strings.CutPrefix(header, "sha256=")
	given, err := hex.DecodeString(hexed)
	mac := hmac.New(sha256.New, w.secret)
	mac.Write(body)
	if !found || err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return &refusal{http.StatusUnauthorized, "X-Hub-Signature-256 does not match: the secret here and on GitHub differ"}
	}
	return nil
}

func (w *Webhook) accept(head http.Header, body []byte) (string, *refusal) {
	event, delivery := head.Get("X-GitHub-Event"), head.Get("X-GitHub-Delivery")
	if event == "" || delivery == "" || len(delivery) > 128 {
		return "", &refusal{http.StatusBadRequest, "X-GitHub-Event or X-GitHub-Delivery is missing"}
	}
	if event == "ping" {
		return "pong", nil
	}
	if !hinted[event] {
		return "ignored: " + event + " changes no decision", nil
	}
	hint, err := hintOf(event, delivery, body)
	if err != nil {
		return "", &refusal{http.StatusBadRequest, err.Error()}
	}
	if !w.seen.add(delivery) {
		return "taken before", nil
	}
	if err := w.enqueue(hint); err != nil {
		w.seen.remove(delivery)
		return "", &refusal{http.StatusServiceUnavailable, "busy: redeliver later; polling will find the change as well"}
	}
	return "taken", nil
}

// hintOf reads the little of a payload that becomes a hint. Of a megabyte that is a hundred bytes, which are looked
// for in one pass and without decoding the rest. Whether the rest is JSON is for GitHub to see to, who signed it.
func hintOf(event, delivery string, body []byte) (Hint, error) {
	var repository, organization, number gjson.Result
	gjson.ParseBytes(body).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "repository":
			repository = value.Get("full_name")
		case "organization":
			organization = value.Get("login")
		case "pull_request":
			number = value.Get("number")
		}
		return true
	})
	h := Hint{Event: event, Delivery: delivery}
	switch {
	case repository.Exists():
		var ok bool
		if h.Owner, h.Repo, ok = strings.Cut(repository.Str, "/"); !ok || h.Owner == "" || h.Repo == "" {
			return h, errors.New("the payload's repository has no full_name")
		}
	case organization.Str != "":
		h.Owner = organization.Str
	default:
		return h, errors.New("the payload names neither a repository nor an organization")
	}
	h.PullRequest = int(max(number.Int(), 0))
	return h, nil
}

// recentIDs remembers the latest ids, so many and no more.
type recentIDs struct {
	mu    sync.Mutex
	limit int
	at    map[string]*list.Element
	order *list.List
}

func newRecentIDs(limit int) *recentIDs {
	return &recentIDs{limit: limit, at: map[string]*list.Element{}, order: list.New()}
}

// add reports whether the id is new.
func (r *recentIDs) add(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.at[id]; e != nil {
		r.order.MoveToBack(e)
		return false
	}
	r.at[id] = r.order.PushBack(id)
	if r.order.Len() > r.limit {
		oldest := r.order.Remove(r.order.Front())
		delete(r.at, oldest.(string))
	}
	return true
}

func (r *recentIDs) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.at[id]; e != nil {
		r.order.Remove(e)
		delete(r.at, id)
	}
}

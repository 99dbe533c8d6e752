package github

import (
	"errors"
	"io"
	"sync"
)

// maxHeld is how many bytes of payloads are held at once: GitHub's largest twice, and sixty common ones.
const maxHeld = 64 << 20

// Payloads bounds what is held of payloads before it is known who sent them: anybody may send them. The zero value
// is ready to use.
type Payloads struct {
	// Max is in bytes, 64 MiB when zero.
	Max int64

	mu   sync.Mutex
	held int64
}

var errNoRoom = errors.New("too many payloads are held already")

// take reports whether there was room.
func (p *Payloads) take(n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := p.Max
	if limit == 0 {
		limit = maxHeld
	}
	if p.held+n > limit {
		return false
	}
	p.held += n
	return true
}

// hold makes a reader that counts what it reads until it is released. A sender who is slow, or announces more than
// it sends, takes no more than it has sent.
func (p *Payloads) hold(body io.Reader) *heldBody { return &heldBody{from: body, in: p} }

type heldBody struct {
	from io.Reader
	in   *Payloads
	size int64
}

func (h *heldBody) Read(into []byte) (int, error) {
	n, err := h.from.Read(into)
	if !h.in.take(int64(n)) {
		return 0, errNoRoom
	}
	h.size += int64(n)
	return n, err
}

func (h *heldBody) release() { h.in.take(-h.size) }

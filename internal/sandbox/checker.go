package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/mlops-platform/mooring/policy/compliance"
)

// The errors of a check, to be told apart with errors.Is. All are the rules'
// doing, and the same rules will do it again.
var (
	// ErrTime: the rules took longer than they may.
	ErrTime = errors.New("the rules took longer to compile, to test or to evaluate than they may")
	// ErrMemory: the rules took more memory than they may.
	ErrMemory = fmt.Errorf("the rules took more than %d MiB of memory", memoryLimit>>20)
	// ErrBroken: the process ended in another way, out of stack or memory above all.
	ErrBroken = errors.New("the engine broke while it read the rules: they nest too deeply, or take too much memory at once")
)

const (
	// timeLimit is for compiling and for the tests.
	timeLimit = compliance.TestsTimeLimit + 10*time.Second
	// tryLimit is for evaluating over inputs.
	tryLimit = 10 * time.Second
	// maxAnswer bounds what the child says, in bytes.
	maxAnswer = 4 << 20
	// maxRemembered is how many sets of rules are remembered.
	maxRemembered = 64
	// timeRemembered is for how long ErrTime is: a busy machine may have been the
	// cause. The same rules are tried again, but not at every look.
	timeRemembered = 10 * time.Minute
)

// Checker starts one process at a time, and remembers what came out: a pull
// request is judged many times. It is safe for concurrent use.
type Checker struct {
	executable string
	limit      time.Duration
	turn       chan struct{}
	now        func() time.Time

	mu         sync.Mutex
	remembered map[[sha256.Size]byte]outcome
}

type outcome struct {
	checked compliance.Checked
	err     error
	until   time.Time // zero: for good
}

// New is a checker that starts this program again, whose main calls Main.
func New() (*Checker, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to check rules in a process of its own: %w", err)
	}
	return &Checker{
		executable: executable, limit: timeLimit, turn: make(chan struct{}, 1), now: time.Now, remembered: map[[sha256.Size]byte]outcome{},
	}, nil
}

// Check compiles rules and runs their tests, as compliance.Check does.
func (c *Checker) Check(ctx context.Context, files map[string][]byte) (compliance.Checked, error) {
	key := keyOf(files)
	if o, known := c.recall(key); known {
		return o.checked, o.err
	}
	release, err := c.wait(ctx)
	if err != nil {
		return compliance.Checked{}, err
	}
	defer release()
	if o, known := c.recall(key); known {
		return o.checked, o.err
	}
	a, err := c.run(ctx, question{Files: files}, c.limit)
	checked := a.Checked
	if err == nil || errors.Is(err, ErrTime) || errors.Is(err, ErrMemory) || errors.Is(err, ErrBroken) {
		o := outcome{checked: checked, err: err}
		if errors.Is(err, ErrTime) {
			o.until = c.now().Add(timeRemembered)
		}
		c.remember(key, o)
	}
	return checked, err
}

// Try evaluates rules over inputs, as compliance.Try does, within tryLimit.
func (c *Checker) Try(ctx context.Context, files map[string][]byte, inputs []any) ([]compliance.Tried, error) {
	if len(inputs) == 0 {
		return nil, nil
	}
	release, err := c.wait(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	a, err := c.run(ctx, question{files, inputs}, tryLimit)
	return a.Tried, err
}

// wait for the turn; release ends it.
func (c *Checker) wait(ctx context.Context) (release func(), err error) {
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *Checker) recall(key [sha256.Size]byte) (outcome, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, known := c.remembered[key]
	return o, known && (o.until.IsZero() || c.now().Before(o.until))
}

// remember forgets any other where there are too many: it costs a run, no more.
func (c *Checker) remember(key [sha256.Size]byte, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.remembered {
		if len(c.remembered) < maxRemembered {
			break
		}
		delete(c.remembered, other)
	}
	c.remembered[key] = o
}

// keyOf is a hash over paths and contents, each with its length before it.
func keyOf(files map[string][]byte) (key [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%d:%s%d:", len(path), path, len(files[path]))
		h.Write(files[path])
	}
	h.Sum(key[:0])
	return key
}

func (c *Checker) run(ctx context.Context, q question, within time.Duration) (answer, error) {
	asked, err := json.Marshal(q)
	if err != nil {
		return answer{}, fmt.Errorf("write the rules for their check: %w", err)
	}
	// The child ends itself; this is for one that is too busy to.
	limit, cancel := context.WithTimeoutCause(ctx, within+time.Second, ErrTime)
	defer cancel()
	var out, said bounded
	cmd := exec.CommandContext(limit, c.executable)
	cmd.Args, cmd.Env = []string{childName, within.String()}, []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, &said
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case limit.Err() != nil:
		return answer{}, context.Cause(limit)
	case errors.As(err, &exit):
		return answer{}, reason(exit.ExitCode(), said.String())
	case err != nil:
		return answer{}, fmt.Errorf("start the process that checks rules: %w", err)
	}
	var a answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return answer{}, fmt.Errorf("%w: its answer is longer than %d bytes, or cut off", ErrBroken, maxAnswer)
	}
	return a, nil
}

func reason(code int, said string) error {
	switch code {
	case exitTime:
		return ErrTime
	case exitMemory:
		return ErrMemory
	case exitBroken:
		return fmt.Errorf("the process that checks rules could not begin: %s", said)
	}
	return ErrBroken
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

// Write takes what still fits, and says that it took all: the child goes on.
func (b *bounded) Write(p []byte) (int, error) {
	if room := maxAnswer - b.Len(); room < len(p) {
		b.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// ReadFrom would go around the bound.
func (b *bounded) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, r)
}

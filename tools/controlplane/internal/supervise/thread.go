package supervise

import "runtime"

// thread runs functions on one operating system thread that lives as long as this program.
//
// The kernel ties "kill the child when its parent dies" to the thread that forked the child,
// and Go ends idle threads as it likes: a child started from an ordinary goroutine may be
// killed while everything is well. See the notes on PR_SET_PDEATHSIG in prctl(2).
type thread struct {
	calls chan func()
}

func newThread() *thread {
	t := &thread{calls: make(chan func())}
	go func() {
		runtime.LockOSThread() // Never unlocked.
		for call := range t.calls {
			call()
		}
	}()
	return t
}

// do runs f on the thread and returns when it has.
func (t *thread) do(f func()) {
	done := make(chan struct{})
	t.calls <- func() {
		defer close(done)
		f()
	}
	<-done
}

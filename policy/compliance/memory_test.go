package compliance

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestWhatGrowsTooFarIsEnded(t *testing.T) {
	runtime.GC() // what earlier tests left would be given back meanwhile
	ctx, release := bounded(t.Context())
	defer release()
	kept := make([]byte, MemoryLimit+MemoryLimit/8)
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), ErrMemory) {
		t.Error(context.Cause(ctx))
	}
	runtime.KeepAlive(kept)
}

func TestGarbageOfOthersEndsNothing(t *testing.T) {
	limit := heapBytes() + MemoryLimit/8
	for range 4 {
		runtime.KeepAlive(make([]byte, MemoryLimit/8))
	}
	if exceeds(limit) {
		t.Error("garbage was counted")
	}
}

// The rule keeps one text after the other, so that the heap grows as steadily as
// the watcher looks at it. Without TimeLimit: a machine that is busy elsewhere
// would reach that before.
func TestRulesAreBoundedInMemory(t *testing.T) {
	b, findings := Compile(map[string][]byte{"policy/rules.rego": []byte(`package mooring
deny contains {"msg": "a"} if {
	some n in {0}
	text := concat("", ["` + strings.Repeat("x", 16<<10) + `", format_int(n, 10)])
	count([x | some i in numbers.range(1, 100000); x := concat("", [text, format_int(i, 10)])]) < 0
}`)})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	runtime.GC()
	before := heapBytes()
	most, done := make(chan uint64), make(chan struct{})
	go func() { most <- peak(done) }()
	ctx, release := bounded(t.Context())
	defer release()
	_, err := b.judge(ctx, map[string]any{})
	close(done)
	if !errors.Is(err, ErrMemory) {
		t.Errorf("error %v", err)
	}
	highest := <-most
	grown := highest - min(highest, before)
	t.Logf("the heap grew by %d MiB", grown>>20)
	if grown > 3*MemoryLimit {
		t.Error("that is too much")
	}
}

// peak is the largest size of the heap that is seen until it is done.
func peak(done <-chan struct{}) uint64 {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	most := heapBytes()
	for {
		select {
		case <-done:
			return most
		case <-tick.C:
			most = max(most, heapBytes())
		}
	}
}

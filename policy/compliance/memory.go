package compliance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"
)

// MemoryLimit bounds by how much the process' heap may grow while rules run.
const MemoryLimit = 256 << 20

// ErrMemory: the heap grew by more than MemoryLimit while the rules ran.
var ErrMemory = fmt.Errorf("the compliance rules took more than %d MiB of memory", MemoryLimit>>20)

// sampleEvery is how often the heap is looked at. A rule allocates a few MiB in
// this time.
const sampleEvery = 5 * time.Millisecond

// bounded is a context that ends, by ErrMemory, when the heap has grown by more
// than MemoryLimit. It stops what asks its context; a single built-in that does
// not is stopped by Check's caller alone, which see.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	limit := heapBytes() + MemoryLimit
	go func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if exceeds(limit) {
					cancel(ErrMemory)
					return
				}
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// exceeds tells what is alive from what only waits to be collected: others
// leave garbage too.
func exceeds(limit uint64) bool {
	if heapBytes() <= limit {
		return false
	}
	runtime.GC()
	return heapBytes() > limit
}

// heapBytes is the memory that objects take, dead ones that are not collected
// yet among them.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

package compliance

import (
	"context"
	"errors"
	"runtime"
	"testing"
)

func TestWhatGrowsTooFarIsEnded(t *testing.T) {
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

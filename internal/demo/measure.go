package demo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// measureFrom is the version that the trusted commit serves.
const measureFrom = 7

// MeasurePush merges a pull request that serves the next version of a low-risk
// model, and returns how long after the merge that version stands in the
// cluster. The number counts up from 0, one call after the other.
func (w *World) MeasurePush(ctx context.Context, i int) (time.Duration, error) {
	version := func(n int) string { return fmt.Sprintf("version: %q", fmt.Sprint(measureFrom+n)) }
	number, head, err := w.Propose(ctx, Forecast, fmt.Sprintf("Serve the next version %d", i), version(i), version(i+1))
	if err != nil {
		return 0, err
	}
	if _, err := w.HasStatus(ctx, head, "mooring", "success", ""); err != nil {
		return 0, err
	}
	if _, err := w.Merge(ctx, Author, number, "squash", head); err != nil {
		return 0, err
	}
	start := time.Now()
	want := fmt.Sprintf("/v%d", measureFrom+i+1)
	err = w.Until(ctx, "the InferenceService serves "+want, func(ctx context.Context) (string, bool, error) {
		uri, err := w.storage(ctx, Forecast)
		return uri, strings.HasSuffix(uri, want), err
	})
	return time.Since(start), err
}

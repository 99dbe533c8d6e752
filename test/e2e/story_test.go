package e2e

import (
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/demo"
)

// rarely is an interval at which no test sees a second poll.
const rarely = time.Hour

// The story of the demo holds where webhooks say when to look, and where
// nothing but the poll does.
//
// One after the other: the nodes' accelerators do for one whole example only.
func TestStory(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]func(*demo.Options){
		"with webhooks":      {func(o *demo.Options) { o.Interval = rarely }},
		"with polling alone": {withoutWebhooks},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, nil, options...)
			for _, step := range demo.Story {
				if !t.Run(step.Name, func(t *testing.T) {
					evidence, err := step.Run(t.Context(), w.World)
					for _, line := range evidence {
						t.Log(line)
					}
					if err != nil {
						t.Fatal(err)
					}
				}) {
					return
				}
			}
		})
	}
}

package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy/compliance"
)

// childName is what the executable is called when it is started to check rules.
const childName = "mooring-check-rules"

// The exit codes of the child.
const (
	exitDone   = 0
	exitBroken = 70
	exitMemory = 71
	exitTime   = 72
)

const (
	// memoryLimit bounds the child's heap. compliance.MemoryLimit ends what can
	// be ended before that.
	memoryLimit = 2 * compliance.MemoryLimit
	// stackLimit bounds what deeply nested files take while they are compiled.
	stackLimit  = 64 << 20
	sampleEvery = 2 * time.Millisecond
)

// Main is the first call of a program that starts sandboxes. It returns at once
// where the process is none; else it checks rules and exits.
func Main() {
	if len(os.Args) > 0 && os.Args[0] == childName {
		os.Exit(serve(os.Args[1:]))
	}
}

// question is what the child is asked: to check rules, or with inputs to
// evaluate them.
type question struct {
	Files  map[string][]byte `json:"files"`
	Inputs []any             `json:"inputs"`
}

type answer struct {
	Checked compliance.Checked `json:"checked"`
	Tried   []compliance.Tried `json:"tried"`
}

// serve is told by its argument how long it may take.
func serve(args []string) int {
	debug.SetMaxStack(stackLimit)
	limit, err := time.ParseDuration(strings.Join(args, " "))
	if err == nil {
		err = confine(limit)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	began := time.Now()
	go watch(limit)
	var q question
	if err := json.NewDecoder(os.Stdin).Decode(&q); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	var a answer
	if q.Inputs == nil {
		a.Checked = compliance.Check(context.Background(), q.Files)
	} else {
		a.Tried = compliance.Try(context.Background(), q.Files, q.Inputs)
	}
	if time.Since(began) > limit { // and the watch has not come to it
		return exitTime
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitBroken
	}
	return exitDone
}

// watch ends the process when it takes too much, whatever it is doing.
func watch(limit time.Duration) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	end := time.After(limit)
	for tick := time.Tick(sampleEvery); ; {
		select {
		case <-end:
			os.Exit(exitTime)
		case <-tick:
			if metrics.Read(sample); sample[0].Value.Uint64() > memoryLimit {
				os.Exit(exitMemory)
			}
		}
	}
}

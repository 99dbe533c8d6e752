// Command controlplane is a Kubernetes control plane in one program: the real etcd, API server,
// controller manager, scheduler and kubectl, with machines simulated by KWOK and model serving
// by KServe's own controller. Tests and the demo run against it where a cluster is not at hand.
//
// It calls itself once per component, so that every component is a process of its own, under
// its own name, with its own log. Called as "kubectl" (a link of that name), it is kubectl.
package main

import (
	"os"
	"path/filepath"
)

func main() {
	os.Exit(run())
}

// run hands over to a component when one is named, by the program's own name or by the first
// argument, and otherwise is the command line of controlplane itself.
func run() int {
	if component, ok := components[filepath.Base(os.Args[0])]; ok {
		return component()
	}
	if len(os.Args) > 1 {
		if component, ok := components[os.Args[1]]; ok {
			// The components take their name, and with it the field manager they
			// write under, from the first argument.
			os.Args = os.Args[1:]
			return component()
		}
	}
	return runCLI(os.Args[1:])
}

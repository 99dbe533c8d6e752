package stack

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/supervise"
)

// The components' names: of their logs, in messages, and those they are called by.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kwok              = "kwok"
	kserveManager     = "kserve-manager"
)

// programs are the executables, which lie beside this one, and the files they need.
type programs struct {
	self, kwok, kserve     string
	kwokShare, kserveShare string
}

func findPrograms(withoutKServe bool) (programs, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return programs{}, fmt.Errorf("finding this program's own path: %w", err)
	}
	bin := filepath.Dir(self)
	found := programs{
		self:        self,
		kwok:        filepath.Join(bin, "kwok"),
		kserve:      filepath.Join(bin, "kserve-manager"),
		kwokShare:   filepath.Join(bin, "share", "kwok"),
		kserveShare: filepath.Join(bin, "share", "kserve"),
	}
	needed := []string{found.kwok, found.kwokShare}
	if !withoutKServe {
		needed = append(needed, found.kserve, found.kserveShare)
	}
	for _, path := range needed {
		if _, err := os.Stat(path); err != nil {
			return programs{}, fmt.Errorf("a part of the control plane is missing: %w; build it with hack/build-tools.sh", err)
		}
	}
	return found, nil
}

// component is a child that is this program again, under a component's name. The name counts:
// it becomes the field manager under which the component writes.
func (s *Stack) component(name string, flags ...string) supervise.Spec {
	return supervise.Spec{Name: name, Program: s.programs.self, Args: append([]string{name}, flags...)}
}

// userKubeconfig writes the kubeconfig with which a component talks to the API server.
func (s *Stack) userKubeconfig(component, user string) (string, error) {
	path := s.dir.join("kubeconfigs", component)
	return path, s.access.writeKubeconfig(path, user)
}

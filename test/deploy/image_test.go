package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// No registry can be asked here, so the image itself is not built; what it is
// built from is looked at.
func TestTheContainerfileFitsTheSourcesAndThePod(t *testing.T) {
	file := strings.ReplaceAll(read(t, "deploy/Containerfile"), "\\\n", "")
	copies := regexp.MustCompile(`(?m)^COPY (?:--from=(\w+) )?(.+) \S+$`).FindAllStringSubmatch(file, -1)
	if len(copies) < 3 {
		t.Fatalf("%d COPY lines; is the pattern still right?", len(copies))
	}
	build := regexp.MustCompile(`(?m)^RUN CGO_ENABLED=0 go build .* -o /out/ (.*)$`).FindStringSubmatch(file)
	if build == nil {
		t.Fatal("no static build is found")
	}
	packages := strings.Fields(build[1])
	list := exec.Command("go", append([]string{"list", "-f", "{{.Name}}"}, packages...)...)
	list.Dir = root(t)
	if out, err := list.Output(); err != nil || strings.TrimSpace(strings.ReplaceAll(string(out), "main\n", "")) != "" {
		t.Errorf("go list %v: %v, %s", packages, err, out)
	}
	for _, c := range copies {
		for _, path := range strings.Fields(c[2]) {
			if c[1] == "" {
				if _, err := os.Stat(filepath.Join(root(t), path)); err != nil {
					t.Errorf("COPY %s: %v", path, err)
				}
				continue
			}
			if !slices.ContainsFunc(packages, func(p string) bool { return "/out/"+filepath.Base(p) == path }) {
				t.Errorf("%s is copied, and not built", path)
			}
		}
	}
	pod := as[appsv1.Deployment](t, only(t, single(t), "Deployment")).Spec.Template.Spec
	user := regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(file)
	if user == nil || user[1] != "65532" || *pod.SecurityContext.RunAsUser != 65532 || *pod.SecurityContext.RunAsGroup != 65532 {
		t.Errorf("the image's user is %v, the pod's %d", user, *pod.SecurityContext.RunAsUser)
	}
	if !regexp.MustCompile(`(?m)^ENTRYPOINT \["/usr/local/bin/mooring-controller"\]$`).MatchString(file) {
		t.Error("the controller is not what the image runs")
	}
	toolchain := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if toolchain == nil || !strings.Contains(file, "golang:"+toolchain[1]+"\n") {
		t.Errorf("the image is not built with the toolchain of go.mod, %v", toolchain)
	}
	if ignore := read(t, "deploy/Containerfile.dockerignore"); !strings.Contains(ignore, ".git\n") || !strings.Contains(ignore, "bin\n") {
		t.Errorf("what is not to be sent to the build: %q", ignore)
	}
}

package review

import (
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/schemas"
)

func TestAnImageIsToldEverythingAtOnce(t *testing.T) {
	const digest, registry = "the image is not pinned by digest (@sha256:…)", "comes from none of the allowed registries: registry.example.com/"
	pinned := "@sha256:" + strings.Repeat("0", 64)
	allowed := schemas.Images{Registries: []string{"registry.example.com/"}, Digest: schemas.DigestRequired}
	for ref, want := range map[string]string{
		"docker.io/x/y:latest":              digest + ", and " + registry,
		"docker.io/x/y" + pinned:            "the image " + registry,
		"registry.example.com/x/y:1":        digest,
		"registry.example.com/x/y" + pinned: "",
	} {
		got := ""
		if err := imageAllowed(ref, allowed); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
}

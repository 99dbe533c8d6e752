package schemas

import "testing"

func TestARegistryEndsWhereASegmentDoes(t *testing.T) {
	const digest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, tc := range []struct {
		name, registry, image string
		want                  bool
	}{
		{"a host admits what lies under it", "registry.example.com", "registry.example.com/team/server:1", true},
		{"so it does with a slash", "registry.example.com/", "registry.example.com/team/server:1", true},
		{"no host that begins like it", "registry.example.com", "registry.example.com.evil/x", false},
		{"no host of another name", "registry.example.com", "registry.example.community/x", false},
		{"no other port of it", "registry.example.com", "registry.example.com:5000/x", false},
		{"no account in front of another host", "registry.example.com", "registry.example.com@evil/x", false},
		{"a host with its port", "registry.example.com:5000", "registry.example.com:5000/x", true},
		{"no longer port", "registry.example.com:500", "registry.example.com:5000/x", false},
		{"a path admits what lies under it", "registry.example.com/team", "registry.example.com/team/server:1", true},
		{"no path that begins like it", "registry.example.com/team", "registry.example.com/teams/server:1", false},
		{"no path amid a segment", "registry.example.com/team-", "registry.example.com/team-a/server:1", false},
		{"an image by its whole name, with a tag", "registry.example.com/team/server", "registry.example.com/team/server:1", true},
		{"and with a digest", "registry.example.com/team/server", "registry.example.com/team/server" + digest, true},
		{"and no other image", "registry.example.com/team/server", "registry.example.com/team/server-evil" + digest, false},
		{"an image by its whole name and nothing behind", "registry.example.com/team/server", "registry.example.com/team/server", true},
		{"no image of the host's name", "registry.example.com", "registry.example.com", false},
		{"another host", "registry.example.com", "evil/registry.example.com/x", false},
		{"an image without a host", "registry.example.com", "server:1", false},
	} {
		if got := (Images{Registries: []string{"other.example.com", tc.registry}}).Admits(tc.image); got != tc.want {
			t.Errorf("%s: %q of %q: %v", tc.name, tc.image, tc.registry, got)
		}
	}
	if (Images{}).Admits("registry.example.com/x") {
		t.Error("no registry admits an image")
	}
}

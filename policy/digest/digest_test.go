package digest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/digest"
	"github.com/mlops-platform/mooring/schemas"
)

var manifest = digest.Identity{
	Path: "models/ds/churn/production/deployment.yaml", Team: "ds", Model: "churn", Environment: "production",
}

const (
	blobA = "1111111111111111111111111111111111111111"
	blobB = "2222222222222222222222222222222222222222"
)

// The golden digests are what released versions have approved: they must never
// change while the encoding's version stays.
func TestGolden(t *testing.T) {
	tests := map[string]struct {
		id            digest.Identity
		before, after string
		level         schemas.RiskLevel
		encoding      string
		want          string
	}{
		"a modified manifest": {
			manifest, blobA, blobB, schemas.RiskMedium,
			"17:mooring.change.v1,42:models/ds/churn/production/deployment.yaml,2:ds,5:churn,10:production," +
				"40:" + blobA + ",40:" + blobB + ",6:medium,",
			"sha256:ad801b56a9a11279bc21cc65a4ba260906c2c4db6fa619046508a38535cc16de",
		},
		"an added manifest": {
			manifest, "", blobB, schemas.RiskHigh,
			"17:mooring.change.v1,42:models/ds/churn/production/deployment.yaml,2:ds,5:churn,10:production," +
				"0:,40:" + blobB + ",4:high,",
			"sha256:bba68e20ea3c23880de9fb59db3a3a1e2d571dbdb5bde1ef5474df8d8a461738",
		},
		"a removed platform file": {
			digest.Identity{Path: "teams/ds.yaml"}, blobA, "", schemas.RiskHigh,
			"17:mooring.change.v1,13:teams/ds.yaml,0:,0:,0:,40:" + blobA + ",0:,4:high,",
			"sha256:709682707d07faa66d58885186820a177220a655620ba285d31346e4b5e256d8",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := digest.Of(tc.id, tc.before, tc.after, tc.level)
			if got != tc.want {
				t.Errorf("digest %s, want %s", got, tc.want)
			}
			sum := sha256.Sum256([]byte(tc.encoding))
			if byHand := "sha256:" + hex.EncodeToString(sum[:]); got != byHand {
				t.Errorf("digest %s, of the documented encoding %s", got, byHand)
			}
		})
	}
}

func TestDifferentChangesDiffer(t *testing.T) {
	type change struct {
		id            digest.Identity
		before, after string
		level         schemas.RiskLevel
	}
	text := rapid.StringMatching(`[0-9:,a]{0,4}`)
	draw := rapid.Custom(func(t *rapid.T) change {
		f := func(name string) string { return text.Draw(t, name) }
		return change{
			digest.Identity{Path: f("path"), Team: f("team"), Model: f("model"), Environment: f("environment")},
			f("before"), f("after"), schemas.RiskLevel(f("level")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		same := digest.Of(a.id, a.before, a.after, a.level) == digest.Of(b.id, b.before, b.after, b.level)
		if same != (a == b) {
			t.Fatalf("equal digests: %v, equal changes: %v", same, a == b)
		}
	})
}

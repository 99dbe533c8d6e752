package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/policy/budget"
	"github.com/mlops-platform/mooring/policy/quota"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/fleet"
)

const (
	// drawnManifests are as an author writes them, and have to be accepted.
	drawnManifests = 300
	// brokenManifests are drawn and then changed in ways that nobody meant.
	brokenManifests = 1700
)

// environments whose models can serve on the cluster of the tests.
var environments = []string{fleet.Production, fleet.Staging, fleet.Slices, fleet.Serverless}

// allEnvironments are also those of which more is rendered than that cluster has
// controllers for.
var allEnvironments = append(slices.Clone(environments), fleet.Isolated)

// What `mlops validate` accepts renders without a panic, and the API server with
// KServe's definitions and webhooks rejects no object of it.
func TestNothingThatIsValidIsRejected(t *testing.T) {
	s, r := connect(t), fleet.Random(t)
	platform := fleet.Platform(t, s.id)
	drawn := manifests(t, r)
	files := append(append(slices.Clone(platform), fleet.Beside(t)), drawn...)
	refused := refusals(t, files)
	world := tenancies(t, s, platform)

	var mu sync.Mutex
	var valid, objects, rejected int
	var took time.Duration
	begin := time.Now()
	forEach(t, drawn, func(ctx context.Context, i int, f schemas.File) {
		if why := refused[f.Path]; why != nil {
			if i < drawnManifests {
				t.Errorf("refused: %v\n%s", why, f.Content)
			}
			return
		}
		rendered, err := renderFile(world, f)
		if err == nil {
			err = s.wouldAccept(ctx, rendered)
		}
		mu.Lock()
		defer mu.Unlock()
		valid++
		objects += len(rendered)
		if err != nil {
			rejected++
			t.Errorf("%v\n%s", err, f.Content)
		}
	})
	took = time.Since(begin)
	t.Logf("%d manifests, %d valid (of %d that were broken, %d); %d objects, %d manifests rejected, in %s",
		len(drawn), valid, brokenManifests, valid-drawnManifests, objects, rejected, took.Round(time.Second))
	// Where nearly everything or next to nothing is valid, little is compared.
	if broken := valid - drawnManifests; broken < brokenManifests/5 || broken > brokenManifests*4/5 {
		t.Errorf("of %d broken manifests %d are valid", brokenManifests, broken)
	}
}

func manifests(t *testing.T, r *rand.Rand) []schemas.File {
	t.Helper()
	var files []schemas.File
	for i := range drawnManifests + brokenManifests {
		environment := allEnvironments[i%len(allEnvironments)]
		m := fleet.Manifest(r, fmt.Sprintf("m%d", i), environment)
		if i >= drawnManifests {
			m = fleet.Mutate(r, m)
		}
		files = append(files, fleet.ManifestFile(t, m))
	}
	return files
}

// refusals are the errors that validate finds, one for each file that has any.
func refusals(t *testing.T, files []schemas.File) map[string]*schemas.Finding {
	t.Helper()
	result, err := review.Validate(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*schemas.Finding{}
	for _, f := range result.Findings {
		// What all ask for together is the first one's finding, and no fault of its own.
		if f.Severity != schemas.SeverityError || f.Code == quota.CodeExceeded || f.Code == budget.CodeExceeded {
			continue
		}
		if schemas.ClassifyPath(f.File) != schemas.PathManifest {
			t.Fatal(f)
		}
		out[f.File] = &f
	}
	return out
}

// tenancies establishes what the team's models stand in.
func tenancies(t *testing.T, s *server, platform []schemas.File) desired.World {
	t.Helper()
	world, findings := desired.NewWorld("proof", platform)
	if findings.Failed() {
		t.Fatal(findings)
	}
	for _, environment := range allEnvironments {
		set, findings := world.Tenancy(fleet.Team, environment)
		if findings.Failed() {
			t.Fatal(findings)
		}
		s.establish(t, set.Objects)
	}
	return world
}

// renderFile renders one manifest. A panic is an error like another, so that the
// manifest is told. An alias is nothing that can be rendered without a registry.
func renderFile(world desired.World, f schemas.File) (objects []*unstructured.Unstructured, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("render panics: %v\n%s", p, debug.Stack())
		}
	}()
	doc, findings := schemas.ParseModelDeployment(f.Path, f.Content)
	if findings.Failed() {
		return nil, fmt.Errorf("parse: %v", findings)
	}
	set, findings := world.Model(doc)
	for _, finding := range findings {
		if finding.Severity == schemas.SeverityError && finding.Code != desired.CodeAlias {
			return nil, fmt.Errorf("render: %v", finding)
		}
	}
	return set.Objects, nil
}

// wouldAccept applies objects without any effect.
func (s *server) wouldAccept(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if _, err := s.apply(ctx, o, metav1.DryRunAll); err != nil {
			return err
		}
	}
	return nil
}

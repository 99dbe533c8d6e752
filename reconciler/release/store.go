package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/schemas"
)

// Receipts and the ledger in them.
// +kubebuilder:rbac:groups=mlops-platform.com,namespace=mooring-system,resources=modelreleases,verbs=get;list;watch;create;delete
// +kubebuilder:rbac:groups=mlops-platform.com,namespace=mooring-system,resources=modelreleases/status,verbs=update;patch

// Store keeps a repository's ledger in the cluster: the standing of each
// manifest in its model's receipt, that of the governing files in the
// ModelRepository's status.
type Store struct {
	// Client may read from a cache: what it says is only a reason to look.
	Client client.Client
	// Reader reads past any cache: a ledger that is a second old would approve twice.
	Reader client.Reader
}

// storeParallel bounds the receipts that are written at a time.
const storeParallel = 16

// Load reads the ledger. Of a repository that is new it is empty. Removals are those
// in the repository's status that are newer than what a receipt has, which was
// restored or edited: they go first, if they are on record.
func (s Store) Load(ctx context.Context, repo *schemas.ModelRepository) (l Ledger, removals []schemas.ApprovedFile, err error) {
	l = NewLedger()
	for _, a := range repo.Status.Approved {
		l.Approved[a.Path] = a
	}
	for _, q := range repo.Status.Quarantined {
		l.Quarantined[q.Path] = q
	}
	receipts, err := receiptsOf(ctx, s.Reader, repo)
	if err != nil {
		return l, nil, err
	}
	for _, r := range receipts {
		if r.Spec.Repository != repo.Name {
			continue
		}
		if a := r.Status.Approved; a != nil {
			if standing := l.Approved[a.Path]; !supersedes(*a, standing) {
				removals = append(removals, standing)
			}
			l.Approved[a.Path] = *a
		}
		if q := r.Status.Quarantined; q != nil {
			l.Quarantined[q.Path] = *q
		}
	}
	return l, removals, nil
}

// receiptsOf lists the namespace's receipts: whose they are says their spec, for
// a label is easily lost.
func receiptsOf(ctx context.Context, reader client.Reader, repo *schemas.ModelRepository) ([]schemas.ModelRelease, error) {
	var list schemas.ModelReleaseList
	if err := reader.List(ctx, &list, client.InNamespace(repo.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the receipts of %s: %w", repo.Name, err)
	}
	return list.Items, nil
}

// Save writes the standing of every unit whose receipt lacks it, and makes the
// receipts that are missing. It returns the units whose receipt is another
// repository's: two repositories hold the same manifest, and the first keeps it.
func (s Store) Save(ctx context.Context, repo *schemas.ModelRepository, fleet *Fleet) (taken []schemas.Unit, err error) {
	cached, err := receiptsOf(ctx, s.Client, repo)
	if err != nil {
		return nil, err
	}
	stored := make(map[string]*schemas.ModelRelease, len(cached))
	for i := range cached {
		stored[cached[i].Name] = &cached[i]
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(storeParallel)
	var mu sync.Mutex
	for unit, d := range fleet.units {
		r := stored[unit.ReceiptName()]
		if r == nil && d.Removed() && slices.ContainsFunc(repo.Status.Approved, func(a schemas.ApprovedFile) bool { return a.Path == unit.Path() && equalApproved(&a, d.Approved) }) {
			continue // it was gone, or was told, when that was stored
		}
		if r != nil && r.Spec.Repository == repo.Name && standing(r, d) {
			continue
		}
		group.Go(func() error {
			err := s.save(ctx, repo, d)
			if errors.Is(err, errTaken) {
				mu.Lock()
				defer mu.Unlock()
				taken = append(taken, unit)
				return nil
			}
			return err
		})
	}
	return taken, group.Wait()
}

// standing reports whether a receipt says already what the ledger does.
func standing(r *schemas.ModelRelease, d *Desired) bool {
	return d.Unit.Model == "" || // a tenancy has no standing of its own
		equalApproved(r.Status.Approved, d.Approved) && equalQuarantined(r.Status.Quarantined, d.Quarantined)
}

var errTaken = errors.New("the receipt is another repository's")

func (s Store) save(ctx context.Context, repo *schemas.ModelRepository, d *Desired) error {
	key := client.ObjectKey{Namespace: repo.Namespace, Name: d.Unit.ReceiptName()}
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var receipt schemas.ModelRelease
		err := s.Reader.Get(ctx, key, &receipt)
		if apierrors.IsNotFound(err) {
			if d.Removed() {
				return nil // it is gone, and should be
			}
			receipt = newReceipt(repo, d.Unit)
			err = s.Client.Create(ctx, &receipt)
		}
		if err != nil {
			return err
		}
		if receipt.Spec.Repository != repo.Name {
			return errTaken
		}
		if standing(&receipt, d) {
			return nil
		}
		// What the phase says is about other content. An apply that is under way
		// keeps its mark, so that it is known for unfinished.
		if !equalApproved(receipt.Status.Approved, d.Approved) && receipt.Status.Phase != schemas.PhaseApplying {
			receipt.Status.Phase = schemas.PhasePending
		}
		receipt.Status.Approved, receipt.Status.Quarantined = d.Approved, d.Quarantined
		return s.Client.Status().Update(ctx, &receipt)
	})
	if err != nil {
		return fmt.Errorf("write the receipt %s: %w", key.Name, err)
	}
	return nil
}

func newReceipt(repo *schemas.ModelRepository, unit schemas.Unit) schemas.ModelRelease {
	return schemas.ModelRelease{
		ObjectMeta: metav1.ObjectMeta{
			Name: unit.ReceiptName(), Namespace: repo.Namespace,
			Labels: map[string]string{
				schemas.LabelRepository: repo.Name, schemas.LabelTeam: unit.Team, schemas.LabelEnvironment: unit.Environment,
			},
		},
		Spec: schemas.ModelReleaseSpec{
			Repository: repo.Name, Team: unit.Team, Environment: unit.Environment, Model: unit.Model, Path: unit.Path(),
		},
	}
}

// WithRemovals adds to a list of what is approved the removals that it lacks.
func (l Ledger) WithRemovals(approved []schemas.ApprovedFile) []schemas.ApprovedFile {
	out := slices.Clone(approved)
	for _, path := range slices.Sorted(maps.Keys(l.Approved)) {
		a := l.Approved[path]
		if a.Blob == "" && !slices.ContainsFunc(approved, func(b schemas.ApprovedFile) bool { return b.Path == path }) {
			out = append(out, a)
		}
	}
	return out
}

// SetStatus puts the standing of what has no receipt of this repository into
// its status, for the caller to write: that of the governing files, of the
// manifests that another repository holds too, and of those that are removed,
// so that what was merged before does not bring them back.
func (l Ledger) SetStatus(s *schemas.ModelRepositoryStatus, taken []schemas.Unit) {
	here := func(path string) bool {
		unit, manifest := schemas.ManifestUnit(path)
		a, stands := l.Approved[path]
		return !manifest || slices.Contains(taken, unit) || stands && a.Blob == ""
	}
	s.Approved, s.Quarantined, s.QuarantinedFiles = nil, nil, len(l.Quarantined)
	for _, path := range slices.Sorted(maps.Keys(l.Approved)) {
		if here(path) {
			s.Approved = append(s.Approved, l.Approved[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(l.Quarantined)) {
		if here(path) {
			s.Quarantined = append(s.Quarantined, l.Quarantined[path])
		}
	}
}

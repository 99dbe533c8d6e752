package release

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/schemas"
)

// Store keeps a repository's ledger in the cluster: the standing of each
// manifest in its model's receipt, that of the governing files in the
// ModelRepository's status.
type Store struct {
	Client client.Client
	// Reader reads past any cache: a ledger that is a second old would approve twice.
	Reader client.Reader
}

// storeParallel bounds the receipts that are written at a time.
const storeParallel = 16

// Load reads the ledger. Of a repository that is new it is empty.
func (s Store) Load(ctx context.Context, repo *schemas.ModelRepository) (Ledger, error) {
	l := NewLedger()
	for _, a := range repo.Status.Approved {
		l.Approved[a.Path] = a
	}
	for _, q := range repo.Status.Quarantined {
		l.Quarantined[q.Path] = q
	}
	receipts, err := s.receipts(ctx, repo)
	if err != nil {
		return l, err
	}
	for _, r := range receipts {
		if a := r.Status.Approved; a != nil {
			l.Approved[a.Path] = *a
		}
		if q := r.Status.Quarantined; q != nil {
			l.Quarantined[q.Path] = *q
		}
	}
	return l, nil
}

func (s Store) receipts(ctx context.Context, repo *schemas.ModelRepository) ([]schemas.ModelRelease, error) {
	var list schemas.ModelReleaseList
	err := s.Reader.List(ctx, &list, client.InNamespace(repo.Namespace), client.MatchingLabels{schemas.LabelRepository: repo.Name})
	if err != nil {
		return nil, fmt.Errorf("list the receipts of %s: %w", repo.Name, err)
	}
	return list.Items, nil
}

// SaveReceipts writes the standing of the units that changed into their
// receipts, and makes the receipts that are missing.
func (s Store) SaveReceipts(ctx context.Context, repo *schemas.ModelRepository, fleet *Fleet, changed []schemas.Unit) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(storeParallel)
	for _, unit := range changed {
		group.Go(func() error { return s.saveReceipt(ctx, repo, unit, fleet.Unit(unit)) })
	}
	return group.Wait()
}

func (s Store) saveReceipt(ctx context.Context, repo *schemas.ModelRepository, unit schemas.Unit, d *Desired) error {
	var approved *schemas.ApprovedFile
	var quarantined *schemas.QuarantinedFile
	if d != nil {
		approved, quarantined = d.Approved, d.Quarantined
	}
	key := client.ObjectKey{Namespace: repo.Namespace, Name: unit.ReceiptName()}
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var receipt schemas.ModelRelease
		err := s.Reader.Get(ctx, key, &receipt)
		if apierrors.IsNotFound(err) {
			if d == nil {
				return nil // it is gone, and should be
			}
			receipt = newReceipt(repo, unit)
			err = s.Client.Create(ctx, &receipt)
		}
		if err != nil {
			return err
		}
		if unit.Model == "" {
			return nil // a tenancy has no standing of its own
		}
		receipt.Status.Approved, receipt.Status.Quarantined = approved, quarantined
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

// SetStatus puts the governing files' standing into the repository's status,
// for the caller to write.
func (l Ledger) SetStatus(s *schemas.ModelRepositoryStatus) {
	s.Approved, s.Quarantined, s.QuarantinedFiles = nil, nil, len(l.Quarantined)
	for _, path := range slices.Sorted(maps.Keys(l.Approved)) {
		if schemas.IsPlatform(path) {
			s.Approved = append(s.Approved, l.Approved[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(l.Quarantined)) {
		if schemas.IsPlatform(path) {
			s.Quarantined = append(s.Quarantined, l.Quarantined[path])
		}
	}
}

// Equal reports whether two ledgers say the same.
func (l Ledger) Equal(o Ledger) bool {
	return maps.EqualFunc(l.Approved, o.Approved, func(a, b schemas.ApprovedFile) bool { return a.Blob == b.Blob && a.Commit == b.Commit }) &&
		maps.EqualFunc(l.Quarantined, o.Quarantined, func(a, b schemas.QuarantinedFile) bool { return a.Blob == b.Blob && a.Commit == b.Commit })
}

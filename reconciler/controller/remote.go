package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Remote is what a repository's spec and secret amount to.
type Remote struct {
	// Forge is nil where no forge is configured.
	Forge       review.Forge
	Credentials source.Credentials
	// CABundle holds PEM certificates to trust beside the system's.
	CABundle []byte
	// Webhook serves the repository's webhooks; nil without a webhook secret.
	Webhook http.Handler
}

// Dialer makes a Remote. It asks nothing of the network; hint is what a webhook
// calls.
type Dialer func(repo *schemas.ModelRepository, secret map[string][]byte, hint func(Hint)) (Remote, error)

// connection is an open Remote with its mirror.
type connection struct {
	Remote
	mirror *source.Mirror
	// key names the configuration that it was made from.
	key string
	// steps of the branch that are judged, while an older one is not. Only the
	// loop of repositories uses it, which looks at one repository once at a time.
	steps map[source.ID]release.Step
	// met is when a commit without a pull request was first seen there.
	met map[source.ID]time.Time
	// uid is the object's: one that was deleted and made again has approvals of its own.
	uid types.UID
	// unsettled, too, is that loop's alone.
	unsettled unsettledStep
	// ruled, too, is that loop's alone.
	ruled ruled
	// cache is what all evaluations of the repository share.
	cache *review.Cache
	// memory is of the looks at the open pull requests.
	memory *review.Memory
}

// unsettledStep is the oldest step of the branch that could not be judged: from which
// commit it leads on, and when it was first met. Its own time is somebody else's clock.
type unsettledStep struct {
	from  source.ID
	since time.Time
}

// meet notes what could not be judged just now.
func (u *unsettledStep) meet(from source.ID, now time.Time) {
	if u.from != from || u.since.IsZero() {
		*u = unsettledStep{from, now}
	}
}

// askAgain is how soon the forge is asked again about what could not be judged. What
// has just been met is known within seconds, whatever else waits.
func (c *connection) askAgain(now time.Time) time.Duration {
	for _, met := range c.met {
		if now.Sub(met) < time.Minute {
			return unsettledAgain(0)
		}
	}
	return unsettledAgain(now.Sub(c.unsettled.since))
}

// unsettledAgain is how soon the forge is asked again about a merge that could
// not be judged for so long. Most are known within seconds; what is not known
// after minutes may never be, and each question costs about twenty requests.
func unsettledAgain(age time.Duration) time.Duration {
	return min(max(age/10, 5*time.Second), 5*time.Minute)
}

// reviewer judges pull requests of a repository.
func (r *Repositories) reviewer(repo *schemas.ModelRepository, c *connection) *review.Reviewer {
	return &review.Reviewer{
		Forge: c.Forge, Repo: c.mirror.Repository, Repository: repo.Name, Now: r.Now, Rules: r.Rules, Cache: c.cache, Fetcher: c.mirror,
	}
}

// connect opens a repository's remote, again when its configuration changed.
func (r *Repositories) connect(ctx context.Context, repo *schemas.ModelRepository) (*connection, error) {
	secret, err := r.secret(ctx, repo)
	if err != nil {
		return nil, err
	}
	name := client.ObjectKeyFromObject(repo)
	key, err := configurationKey(repo, secret)
	if err != nil {
		return nil, err
	}
	switch c := r.connection(name); {
	case c != nil && c.uid != repo.UID:
		if err := r.forget(name); err != nil {
			return nil, err
		}
	case c != nil && c.key == key:
		return c, nil
	}
	remote, err := r.Dial(repo, secret, func(hint Hint) {
		r.attention.note(name, hint)
		r.Hint(name)
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", repo.Spec.URL, err)
	}
	if err := r.disconnect(name); err != nil {
		return nil, err
	}
	mirror, err := source.NewMirror(filepath.Join(r.MirrorDir, mirrorFolder(repo)), source.MirrorOptions{
		URL: repo.Spec.URL, Branch: branch(repo), Credentials: remote.Credentials, CABundle: remote.CABundle,
		Log: r.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the mirror of %s: %w", repo.Spec.URL, err)
	}
	c := &connection{
		Remote: remote, mirror: mirror, key: key, uid: repo.UID, steps: map[source.ID]release.Step{}, met: map[source.ID]time.Time{},
		cache: review.NewCache(), memory: review.NewMemory(),
	}
	r.setConnection(name, c)
	r.Statuses.follow(name, statusTarget{forge: remote.Forge, url: repo.Spec.URL})
	return c, nil
}

// disconnect closes what belongs to a repository's configuration, the ledger
// included: which environments are served is part of it.
func (r *Repositories) disconnect(name client.ObjectKey) error {
	r.mu.Lock()
	old := r.connections[name]
	delete(r.connections, name)
	delete(r.ledgers, name)
	r.mu.Unlock()
	if old == nil {
		return nil
	}
	if err := old.mirror.Close(); err != nil {
		return fmt.Errorf("close the mirror of %s: %w", name, err)
	}
	return nil
}

// mirrorFolder is unique to an object and what it points at: another URL under
// the same name never finds the old copy.
func mirrorFolder(repo *schemas.ModelRepository) string {
	sum := sha256.Sum256([]byte(repo.Spec.URL + "\n" + branch(repo)))
	return repo.Namespace + "." + repo.Name + "." + hex.EncodeToString(sum[:6])
}

func branch(repo *schemas.ModelRepository) string {
	if repo.Spec.Branch == "" {
		return "main"
	}
	return repo.Spec.Branch
}

func configurationKey(repo *schemas.ModelRepository, secret map[string][]byte) (string, error) {
	spec := repo.Spec
	spec.TrustFrom, spec.Suspend = "", false
	text, err := json.Marshal(struct {
		Spec   schemas.ModelRepositorySpec
		Secret map[string][]byte
	}{spec, secret})
	if err != nil {
		return "", fmt.Errorf("compare the configuration of %s: %w", repo.Name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Only the Secrets that a ModelRepository names are read. There is no list and no
// watch, so a Secret whose name is not known stays unread.
// +kubebuilder:rbac:groups="",namespace=mooring-system,resources=secrets,verbs=get

func (r *Repositories) secret(ctx context.Context, repo *schemas.ModelRepository) (map[string][]byte, error) {
	if repo.Spec.SecretRef == nil {
		return nil, nil
	}
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: repo.Namespace, Name: repo.Spec.SecretRef.Name}
	// Past the cache: a cache would hold every Secret of the namespace in memory.
	if err := r.Reader.Get(ctx, key, &secret); err != nil {
		return nil, fmt.Errorf("read the Secret %s that spec.secretRef names: %w", key, err)
	}
	return secret.Data, nil
}

// ErrNothingTrusted: nobody has named a commit to start from.
var ErrNothingTrusted = errors.New("nothing is trusted yet: set spec.trustFrom to a commit whose content you vouch for")

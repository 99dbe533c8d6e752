package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/internal/loopback"
	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/schemas"
)

// configure writes the Secret and the configuration file of the controller.
func (w *World) configure(ctx context.Context) error {
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: RepositoryName, Namespace: w.Namespace},
			StringData: map[string]string{
				remote.KeyToken: w.People[Bot].Token, remote.KeyWebhookSecret: webhookSecret,
			},
		},
	} {
		if err := w.Cluster.Create(ctx, obj); err != nil {
			return fmt.Errorf("create the %T %s: %w", obj, obj.GetName(), err)
		}
	}
	repository, err := w.frontedRepository()
	if err != nil {
		return err
	}
	w.repository = repository
	if err := w.WriteConfig(repository); err != nil {
		return err
	}
	// The same for a controller that is started again, so that webhooks find it.
	if w.webhook, err = loopback.Address(); err != nil || w.WithoutWebhooks {
		return err
	}
	url := "http://" + w.webhook + controller.WebhookPath(client.ObjectKeyFromObject(repository))
	return w.People[Admin].AddWebhook(ctx, FullName, url, webhookSecret, "push", "pull_request", "pull_request_review")
}

// ModelRepository is the object that tells the controller what to follow.
func (w *World) ModelRepository() *schemas.ModelRepository { return w.repository.DeepCopy() }

func (w *World) frontedRepository() (*schemas.ModelRepository, error) {
	root := w.GitHub.URL()
	if w.FrontGitHub != nil {
		var err error
		if root, err = w.FrontGitHub(root); err != nil {
			return nil, fmt.Errorf("put something in front of GitHub: %w", err)
		}
	}
	r := &schemas.ModelRepository{
		TypeMeta:   metav1.TypeMeta{APIVersion: schemas.APIVersion, Kind: string(schemas.KindModelRepository)},
		ObjectMeta: metav1.ObjectMeta{Name: RepositoryName, Namespace: w.Namespace},
		Spec: schemas.ModelRepositorySpec{
			URL: root + "/" + FullName + ".git", Branch: "main", Interval: metav1.Duration{Duration: w.Interval},
			Timeout:      metav1.Duration{Duration: time.Minute}, // as by default, however short the interval is
			Environments: []string{"development", "staging", "production"},
			TrustFrom:    w.Trusted,
			GitHub:       &schemas.GitHubSpec{Owner: "acme", Repository: "models", BaseURL: root + "/api/v3/"},
			SecretRef:    &schemas.LocalSecret{Name: RepositoryName},
		},
	}
	if w.Configure != nil {
		w.Configure(r)
	}
	return r, nil
}

// WriteConfig replaces the configuration that the controller reads at its start.
func (w *World) WriteConfig(repositories ...*schemas.ModelRepository) error {
	var content []byte
	for _, r := range repositories {
		text, err := yaml.Marshal(struct {
			metav1.TypeMeta `json:",inline"`
			Metadata        map[string]string           `json:"metadata"`
			Spec            schemas.ModelRepositorySpec `json:"spec"`
		}{r.TypeMeta, map[string]string{"name": r.Name, "namespace": r.Namespace}, r.Spec})
		if err != nil {
			return fmt.Errorf("write the ModelRepository %s: %w", r.Name, err)
		}
		content = append(append(content, "---\n"...), text...)
	}
	if err := os.WriteFile(w.configFile(), content, 0o600); err != nil {
		return fmt.Errorf("write the controller's configuration: %w", err)
	}
	return nil
}

func (w *World) configFile() string { return filepath.Join(w.Dir, "config.yaml") }

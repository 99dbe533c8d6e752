package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/cluster"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// An object that the cluster refuses holds back its own model alone, and the
// message is the cluster's. When it is taken again, the model goes on by itself.
func TestARefusedObjectHoldsBackItsModelAlone(t *testing.T) {
	t.Parallel()
	w := start(t, with("alpha", "beta"), withoutWebhooks)
	w.allLive(5)
	lift := w.refuse("beta", "8", "beta is not to be touched this week")
	files := map[string][]byte{}
	for _, model := range []string{"alpha", "beta"} {
		manifest, err := w.Manifest(t.Context(), low(model))
		w.must(err)
		files[low(model).Path()] = []byte(strings.Replace(string(manifest), `version: "7"`, `version: "8"`, 1))
	}
	number, head, err := w.ProposeFiles(t.Context(), "Serve v8", files)
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	merged, err := w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.must(w.Live(t.Context(), low("alpha"), "8"))
	w.hasStatus(merged, "mooring/deploy", "failure", "beta")
	w.must(w.Until(t.Context(), "the receipt has the cluster's message and the version of before", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, low("beta"))
		if r == nil || err != nil {
			return "no receipt", false, err
		}
		summary := demo.Summary(r)
		return fmt.Sprintf("version %s: %s", r.Status.Version, summary),
			strings.Contains(summary, "beta is not to be touched this week") && r.Status.Version == "7", nil
	}))
	w.serves(low("beta"), "7")
	lift()
	w.must(w.Live(t.Context(), low("beta"), "8"))
	w.hasStatus(merged, "mooring/deploy", "success", "")
	w.nothingOrphaned()
}

// An object that somebody made by hand is not taken over because a release has
// one of its name, and its refusal leaves it as it was; with leave it is.
func TestWhatSomebodyElseMadeIsNotTakenOver(t *testing.T) {
	t.Parallel()
	w := start(t, small, withoutWebhooks)
	w.allLive(3)
	service, err := w.Service(t.Context(), demo.Forecast)
	w.must(err)
	theirs := &unstructured.Unstructured{Object: map[string]any{"spec": service.Object["spec"]}}
	theirs.SetGroupVersionKind(demo.InferenceService)
	theirs.SetNamespace(service.GetNamespace())
	theirs.SetName("newcomer")
	w.must(w.Cluster.Create(t.Context(), theirs))
	manifest, err := w.Manifest(t.Context(), demo.Forecast)
	w.must(err)
	newcomer := low("newcomer")
	number, head, err := w.ProposeFiles(t.Context(), "Serve newcomer", map[string][]byte{
		newcomer.Path(): []byte(strings.ReplaceAll(string(manifest), demo.Forecast.Model, newcomer.Model)),
	})
	w.must(err)
	w.hasStatus(head, "mooring", "success", "")
	merged, err := w.Merge(t.Context(), demo.Author, number, "squash", head)
	w.must(err)
	w.hasStatus(merged, "mooring/deploy", "failure", newcomer.Model)
	var summary string
	w.must(w.Until(t.Context(), "the receipt says whose it is", func(ctx context.Context) (string, bool, error) {
		r, err := w.Receipt(ctx, newcomer)
		if r != nil {
			summary = demo.Summary(r)
		}
		return summary, strings.Contains(summary, "exists already and is not managed by Mooring"), err
	}))
	if !strings.Contains(summary, apply.AnnotationAdopt+"="+newcomer.ReceiptName()) {
		t.Errorf("no remedy in %q", summary)
	}
	w.must(w.Cluster.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs))
	if _, ours := apply.UnitOf(theirs); ours {
		t.Errorf("it was taken over: %v", theirs.GetLabels())
	}
	leave := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, apply.AnnotationAdopt, newcomer.ReceiptName())
	w.must(w.Cluster.Patch(t.Context(), theirs, client.RawPatch(types.MergePatchType, []byte(leave))))
	w.must(w.Live(t.Context(), newcomer, "7"))
	w.hasStatus(merged, "mooring/deploy", "success", "")
	w.nothingOrphaned()
}

// refuse has the API server refuse a version of a model in this world.
func (w *world) refuse(model, version, message string) (lift func()) {
	w.t.Helper()
	name := "refuse-" + w.id
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule: admissionv1.Rule{
						APIGroups: []string{demo.InferenceService.Group}, APIVersions: []string{"*"}, Resources: []string{"inferenceservices"},
					},
				},
			}}},
			Validations: []admissionv1.Validation{{
				Expression: fmt.Sprintf("!object.metadata.namespace.endsWith(%q) || object.metadata.name != %q || object.metadata.labels[%q] != %q",
					w.id, model, schemas.LabelVersion, version),
				Message: message,
			}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	w.must(errors.Join(w.Cluster.Create(w.t.Context(), policy), w.Cluster.Create(w.t.Context(), binding)))
	lift = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(client.IgnoreNotFound(w.Cluster.Delete(ctx, binding)), client.IgnoreNotFound(w.Cluster.Delete(ctx, policy))); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(lift)
	service, err := w.Service(w.t.Context(), low(model))
	w.must(err)
	w.must(w.Until(w.t.Context(), "the policy is in force", func(ctx context.Context) (string, bool, error) {
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, schemas.LabelVersion, version)
		err := w.Cluster.Patch(ctx, service.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
		return fmt.Sprint(err), err != nil && strings.Contains(err.Error(), message), nil
	}))
	return lift
}

// Two repositories in one controller do not know of each other: what one cannot
// do harms the other nothing.
func TestTwoRepositoriesInOneController(t *testing.T) {
	t.Parallel()
	const second = "acme/second"
	w := prepare(t, small, withoutWebhooks)
	dir := example(t, w.id+"b", func(files map[string][]byte) {
		for path := range files {
			if unit, ok := schemas.ManifestUnit(path); ok && unit.Team != "clinical-ai" {
				delete(files, path)
			}
		}
	})
	w.must(w.GitHub.CreateRepo(second, githubtest.Repo{Dir: dir}))
	w.must(w.GitHub.Grant(second, demo.Bot, githubtest.Write))
	head, err := w.GitHub.Head(second, "main")
	w.must(err)
	first := w.ModelRepository()
	other := first.DeepCopy()
	other.Name, other.Spec.TrustFrom, other.Spec.GitHub.Repository = "second", head, "second"
	other.Spec.URL = strings.Replace(first.Spec.URL, demo.FullName, second, 1)
	w.must(w.WriteConfig(first, other))
	w.must(w.StartController(t.Context()))
	w.allLive(4)

	up := w.github.down(func(r request) bool { return strings.Contains(r.URL.Path, "acme/second") })
	defer up()
	w.must(w.Until(t.Context(), "the second cannot be fetched", func(ctx context.Context) (string, bool, error) {
		var r schemas.ModelRepository
		err := w.Cluster.Get(ctx, client.ObjectKeyFromObject(other), &r)
		message := conditionMessage(&r, schemas.ConditionFetched)
		return message, strings.Contains(message, "second"), err
	}))
	number, at, err := w.Propose(t.Context(), demo.Forecast, "Serve demand-forecast v8", `version: "7"`, `version: "8"`)
	w.must(err)
	w.hasStatus(at, "mooring", "success", "")
	_, err = w.Merge(t.Context(), demo.Author, number, "squash", at)
	w.must(err)
	w.must(w.Live(t.Context(), demo.Forecast, "8"))
}

// A cluster that lacks a definition is told apart from one that fails: the
// controller says what to install, and goes on when it is.
func TestMissingDefinitions(t *testing.T) {
	t.Parallel()
	plane := bareControlPlane(t)
	w := prepare(t, small, withoutWebhooks, func(o *demo.Options) {
		o.Kubeconfig, o.FrontCluster = plane.Kubeconfig, nil
	})
	t.Run("KServe's", func(t *testing.T) {
		w.must(w.StartController(t.Context()))
		w.must(w.Until(t.Context(), "the receipt says what is missing", func(ctx context.Context) (string, bool, error) {
			r, err := w.Receipt(ctx, demo.Forecast)
			if r == nil || err != nil {
				return "no receipt", false, err
			}
			summary := demo.Summary(r)
			return summary, strings.Contains(summary, "InferenceService") && strings.Contains(summary, "KServe"), nil
		}))
		config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig)
		w.must(err)
		root, err := controlplane.ModuleRoot()
		w.must(err)
		w.must(controlplane.InstallCRDs(t.Context(), config, filepath.Join(root, "bin", "share", "kserve", "crds")))
		w.must(w.Until(t.Context(), "the InferenceService is made", func(ctx context.Context) (string, bool, error) {
			service, err := w.Service(ctx, demo.Forecast)
			return "it is not", service != nil, err
		}))
	})
	t.Run("Mooring's own", func(t *testing.T) {
		w.must(w.Controller.Stop())
		definition := &unstructured.Unstructured{}
		definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		definition.SetName("modelreleases." + schemas.Group)
		w.must(w.Cluster.Delete(t.Context(), definition))
		cluster.Eventually(t, patience, "the end of the definition", func() error {
			if err := w.Cluster.List(t.Context(), &schemas.ModelReleaseList{}, client.InNamespace(w.Namespace)); err == nil {
				return errors.New("it is served")
			}
			return nil
		})
		w.must(w.StartController(t.Context()))
		w.ends(w.Controller)
		if text := w.log(); !strings.Contains(text, "kubectl apply -k deploy/crds") {
			t.Errorf("it does not say what to install:\n%s", text)
		}
	})
}

// bareControlPlane is one of its own, without KServe.
func bareControlPlane(t *testing.T) *controlplane.Cluster {
	t.Helper()
	cluster.Config(t) // skips, or fails, where no control plane can be had
	plane, err := controlplane.Start(t.Context(), controlplane.Options{WithoutKServe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/mlops-platform/mooring/policy/quota"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/fleet"
)

const (
	quotaCases = 300
	// quotaTeams have a namespace each, and take one case after the other.
	quotaTeams = 15
	// mostModels of one team.
	mostModels = 3
	// quotaTries before the API server is said to disagree. On a busy machine one
	// case in fifty needs a second one.
	quotaTries = 5
)

// quotaCase is what a team's models ask for, and a quota of about that much.
type quotaCase struct {
	name   string
	team   *schemas.Team
	pods   []*corev1.Pod
	models []schemas.ModelDeployment
	// over are the quota's keys of which the gate says that more is requested.
	over []string
}

// The gate and the API server add up a team's requests alike: the pods of models
// that the gate accepts are all created in the namespace as it is rendered, and
// of those that it refuses one is refused, for the same resource.
func TestTheGateAgreesWithTheQuota(t *testing.T) {
	t.Parallel()
	s, r := connect(t), fleet.Random(t)
	platform, findings := schemas.LoadPlatform(fleet.Platform(t, s.id))
	if findings.Failed() {
		t.Fatal(findings)
	}
	env := &platform.Environments[fleet.Production].Value
	cases := make([][]quotaCase, quotaTeams)
	for i := range quotaCases {
		at := i % quotaTeams
		cases[at] = append(cases[at], drawQuotaCase(t, r, env, fmt.Sprintf("quota%d", at), fmt.Sprintf("case-%d", i)))
	}

	var mu sync.Mutex
	counts := map[string]int{}
	begin := time.Now()
	group, ctx := errgroup.WithContext(t.Context())
	for _, its := range cases {
		s.house(t, env, its[0].team)
		group.Go(func() error {
			for _, c := range its {
				why, again, err := s.holdAgainstQuota(ctx, env, c)
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				mu.Lock()
				counts[map[bool]string{true: "accepted", false: "refused"}[len(c.over) == 0]]++
				counts["pods"] += len(c.pods)
				counts["routers"] += c.routers()
				if again {
					counts["judged again"]++
				}
				if why != "" {
					counts["disagreements"]++
					t.Errorf("%s: %s; by the gate too much of %v, the quota is %+v\n%s", c.name, why, c.over, c.team.Spec.Quota, requestsOf(c.models))
				}
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases, %d disagreements, agreement %.1f %%, in %s: %v", quotaCases, counts["disagreements"],
		100*float64(quotaCases-counts["disagreements"])/quotaCases, time.Since(begin).Round(time.Second), counts)
	if counts["accepted"] < quotaCases/5 || counts["refused"] < quotaCases/5 || counts["routers"] < quotaCases/5 {
		t.Errorf("%d are accepted, %d refused, and there are %d routers", counts["accepted"], counts["refused"], counts["routers"])
	}
}

// routers counts the pods that are routers of graphs.
func (c quotaCase) routers() (n int) {
	for _, m := range c.models {
		if g := m.Spec.Serving.Graph; g != nil {
			n += int(g.Replicas(m.Spec.Serving.Replicas))
		}
	}
	return n
}

// house makes a team's namespace with what is rendered of its tenancy but the
// quota, and the accounts of its models.
func (s *server) house(t *testing.T, env *schemas.Environment, team *schemas.Team) {
	t.Helper()
	var objects []*unstructured.Unstructured
	for _, o := range tenancyOf(t, env, team) {
		if kind := o.GetKind(); kind == "Namespace" || kind == "LimitRange" {
			objects = append(objects, o)
		}
	}
	s.establish(t, objects)
	for i := range mostModels {
		model := fmt.Sprintf("m%d", i)
		for _, runs := range []string{model, model + schemas.GraphSuffix} {
			s.account(t, env.Spec.NamespaceFor(team.Metadata.Name, env.Metadata.Name), render.ServiceAccountName(runs))
		}
	}
}

func tenancyOf(t *testing.T, env *schemas.Environment, team *schemas.Team) []*unstructured.Unstructured {
	t.Helper()
	objects, err := render.Tenancy(render.TenancyInput{Repository: "proof", Team: team, Environment: env})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// holdAgainstQuota says how the API server disagrees; empty: not at all. It tries
// again before it says so: the controller that counts what is used may have
// counted pods of the case before, or not yet those of this one.
func (s *server) holdAgainstQuota(ctx context.Context, env *schemas.Environment, c quotaCase) (why string, again bool, err error) {
	for range quotaTries {
		if err := s.setQuota(ctx, env, c); err != nil {
			return "", again, err
		}
		if why, err = s.fill(ctx, c); why == "" || err != nil {
			return why, again, err
		}
		again = true
	}
	return why, again, nil
}

// setQuota empties the namespace, gives it the case's quota and waits until that
// is in force.
func (s *server) setQuota(ctx context.Context, env *schemas.Environment, c quotaCase) error {
	namespace := env.Spec.NamespaceFor(c.team.Metadata.Name, env.Metadata.Name)
	err := s.typed.CoreV1().Pods(namespace).DeleteCollection(ctx, *metav1.NewDeleteOptions(0), metav1.ListOptions{})
	if err != nil {
		return err
	}
	objects, err := render.Tenancy(render.TenancyInput{Repository: "proof", Team: c.team, Environment: env})
	if err != nil {
		return err
	}
	name := ""
	for _, o := range objects {
		if o.GetKind() != "ResourceQuota" {
			continue
		}
		name = o.GetName()
		if _, err := s.apply(ctx, o); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	api := s.typed.CoreV1().ResourceQuotas(namespace)
	list, err := api.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(list.Items) == 1 && inForce(&list.Items[0]) {
		return nil
	}
	watch, err := api.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name, ResourceVersion: list.ResourceVersion})
	if err != nil {
		return err
	}
	defer watch.Stop()
	for {
		select {
		case event := <-watch.ResultChan():
			changed, ok := event.Object.(*corev1.ResourceQuota)
			if !ok {
				return fmt.Errorf("watching the quota: %v", event.Object)
			}
			if inForce(changed) {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("the quota is not in force: %w", ctx.Err())
		}
	}
}

// inForce: the controller has counted under the present limits, and found nothing.
func inForce(q *corev1.ResourceQuota) bool {
	for key, hard := range q.Spec.Hard {
		counted, used := q.Status.Hard[key], q.Status.Used[key]
		if _, known := q.Status.Used[key]; !known || counted.Cmp(hard) != 0 || !used.IsZero() {
			return false
		}
	}
	return true
}

var exceeded = regexp.MustCompile(`exceeded quota: [^,]*, requested: ([^ ]*), used:`)

// fill creates the case's pods until one is refused.
func (s *server) fill(ctx context.Context, c quotaCase) (why string, err error) {
	for _, pod := range c.pods {
		// Admission gives up where the controller that counts writes to the quota at the same time.
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			_, err := s.typed.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
			return err
		})
		if err == nil {
			continue
		}
		match := exceeded.FindStringSubmatch(err.Error())
		switch {
		case !apierrors.IsForbidden(err) || match == nil:
			return "", err
		case len(c.over) == 0:
			return "the gate accepts, and " + err.Error(), nil
		}
		for _, requested := range strings.Split(match[1], ",") {
			if key, _, _ := strings.Cut(requested, "="); !slices.Contains(c.over, key) {
				return "the gate refuses for other resources than " + match[0], nil
			}
		}
		return "", nil
	}
	if len(c.over) > 0 {
		return "the gate refuses, and all pods are created", nil
	}
	return "", nil
}

// drawQuotaCase draws a team's models and a quota that is just enough, just too
// little or ample, in each resource on its own.
func drawQuotaCase(t *testing.T, r *rand.Rand, env *schemas.Environment, team, name string) quotaCase {
	t.Helper()
	c := quotaCase{name: name, team: &schemas.Team{Metadata: schemas.Metadata{Name: team}, Spec: schemas.TeamSpec{CostCenter: "CC-1"}}}
	for i := range 1 + r.IntN(mostModels) {
		d := drawAsker(r, env, team, fmt.Sprintf("m%d", i))
		c.models = append(c.models, d)
		c.pods = append(c.pods, podsAtMin(t, env, d, name)...)
	}
	r.Shuffle(len(c.pods), func(i, j int) { c.pods[i], c.pods[j] = c.pods[j], c.pods[i] })
	usage, _ := quota.Check(team, *env, schemas.Quota{}, c.models...)
	shift := func() int64 { return []int64{0, 0, 0, -1, 1, 1 << 40}[r.IntN(6)] }
	// Limits in the API server's own units, thousandths and bytes, and between them.
	c.team.Spec.Quota = schemas.Quota{
		CPU:    *resource.NewMilliQuantity(max(1, usage.AtMin.CPU.MilliValue()+shift()), resource.DecimalSI),
		Memory: *resource.NewQuantity(max(1, usage.AtMin.Memory.Value()+shift()), resource.BinarySI),
		GPU:    int32(max(0, usage.AtMin.GPU+min(shift(), 1))),
	}
	_, findings := quota.Check(team, *env, c.team.Spec.Quota, c.models...)
	for _, f := range findings {
		if f.Code != quota.CodeExceeded {
			continue
		}
		for word, key := range map[string]string{" cpu at": "requests.cpu", " memory at": "requests.memory", " gpu at": "requests.nvidia.com/gpu"} {
			if strings.Contains(f.Message, word) {
				c.over = append(c.over, key)
			}
		}
	}
	return c
}

// drawAsker draws a model of any shape that counts: replicas, components, KServe's
// own containers, quantities below the API server's unit.
func drawAsker(r *rand.Rand, env *schemas.Environment, team, name string) schemas.ModelDeployment {
	one := func(n int) bool { return r.IntN(n) == 0 }
	low := 1 + r.Int32N(3)
	ask := func() schemas.Resources {
		cpu := resource.MustParse([]string{fmt.Sprintf("%dm", 1+r.IntN(2000)), fmt.Sprintf("%du", 1+r.IntN(900_000)), "99m", "100m", "101m", "1"}[r.IntN(6)])
		memory := resource.MustParse([]string{fmt.Sprint(1 + r.Int64N(1<<31)), fmt.Sprintf("%dMi", 1+r.IntN(4000)), "1.1Gi", "100Mi", "104857599", "999m"}[r.IntN(6)])
		return schemas.Resources{Requests: schemas.ResourceList{CPU: &cpu, Memory: &memory}}
	}
	d := schemas.ModelDeployment{Metadata: schemas.Metadata{Name: name}, Spec: schemas.ModelDeploymentSpec{
		Team: team, Environment: env.Metadata.Name, Model: schemas.Model{Name: name, Version: "1", Format: schemas.FormatMLflow},
		Serving: schemas.Serving{Resources: ask(), Replicas: schemas.Replicas{Min: &low}},
	}}
	serving := &d.Spec.Serving
	if one(4) {
		d.Spec.Model.Format, serving.Container = schemas.FormatCustom, &schemas.Container{Image: "registry.example.com/x"}
		if one(2) {
			d.Spec.Model.URI = "s3://bucket/model"
		}
	}
	if one(5) {
		d.Spec.Model.URI = "pvc://claim/model"
	}
	if one(3) {
		serving.Accelerator = &schemas.Accelerator{Type: "nvidia-a10g", Count: 1 + r.Int32N(4)}
	}
	if one(3) {
		serving.Logger = &schemas.Logger{URL: "http://broker", Mode: schemas.LogAll}
	}
	if one(3) {
		serving.Batcher = &schemas.Batcher{MaxBatchSize: 2, MaxLatency: 2}
	}
	if one(4) {
		serving.Transformer = &schemas.Component{Image: "registry.example.com/x", Resources: ask(), Replicas: schemas.Replicas{Min: &low}}
	}
	if one(4) {
		serving.Explainer = &schemas.Component{Image: "registry.example.com/x", Resources: ask()}
	}
	if one(3) {
		serving.Graph = &schemas.Graph{Router: schemas.GraphSequence, Steps: []schemas.GraphStep{{Model: name}, {Model: "another"}}}
	}
	return d
}

// podsAtMin are the pods of a model at replicas.min. No scheduler takes them: a
// quota counts pods wherever they are.
func podsAtMin(t *testing.T, env *schemas.Environment, d schemas.ModelDeployment, name string) []*corev1.Pod {
	t.Helper()
	at := &render.Placement{Pool: env.Spec.Pools[0], Capacity: schemas.CapacityOnDemand}
	in := render.ModelInput{
		Repository: "proof", Deployment: &d, Environment: env, Team: &schemas.Team{Metadata: schemas.Metadata{Name: d.Spec.Team}},
		Predictor: at, Version: "1", StorageURI: render.StorageURI(env, d.Spec, "1"), Level: schemas.RiskLow,
	}
	replicas := map[string]int32{"predictor": d.Spec.Serving.Replicas.Low()}
	if d.Spec.Serving.Accelerator != nil {
		i := slices.IndexFunc(env.Spec.Pools, func(p schemas.Pool) bool {
			return p.Accelerator != nil && p.Accelerator.Name == d.Spec.Serving.Accelerator.Type
		})
		in.Predictor = &render.Placement{Pool: env.Spec.Pools[i], Capacity: schemas.CapacityOnDemand}
	}
	if c := d.Spec.Serving.Transformer; c != nil {
		in.Transformer, replicas["transformer"] = at, c.Replicas.Low()
	}
	if c := d.Spec.Serving.Explainer; c != nil {
		in.Explainer, replicas["explainer"] = at, c.Replicas.Low()
	}
	if g := d.Spec.Serving.Graph; g != nil {
		in.Router, replicas["router"] = at, g.Replicas(d.Spec.Serving.Replicas)
	}
	objects, err := render.Model(in)
	if err != nil {
		t.Fatal(err)
	}
	var pods []*corev1.Pod
	for part, n := range replicas {
		for i := range n {
			var pod *corev1.Pod
			if part == "router" {
				pod = routerPodOf(t, objects)
			} else {
				pod = podOf(t, service(t, objects), part)
			}
			pod.Name = fmt.Sprintf("%s-%s-%s-%d", name, d.Metadata.Name, part, i)
			pod.Spec.SchedulerName = "nobody"
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

func requestsOf(models []schemas.ModelDeployment) string {
	var b strings.Builder
	for _, m := range models {
		s := m.Spec.Serving
		fmt.Fprintf(&b, "%d × %v %v, accelerator %v, logger %t, batcher %t, format %s, uri %q", s.Replicas.Low(), s.Resources.Requests.CPU,
			s.Resources.Requests.Memory, s.Accelerator, s.Logger != nil, s.Batcher != nil, m.Spec.Model.Format, m.Spec.Model.URI)
		for name, c := range map[string]*schemas.Component{"transformer": s.Transformer, "explainer": s.Explainer} {
			if c != nil {
				fmt.Fprintf(&b, ", %s %d × %v %v", name, c.Replicas.Low(), c.Resources.Requests.CPU, c.Resources.Requests.Memory)
			}
		}
		if g := s.Graph; g != nil {
			fmt.Fprintf(&b, ", router %d ×", g.Replicas(s.Replicas))
		}
		b.WriteString("\n")
	}
	return b.String()
}

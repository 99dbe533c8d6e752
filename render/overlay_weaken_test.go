package render

import (
	"strings"
	"testing"
)

// onePatch is an overlay of one JSON patch of a kind, on line 2.
func onePatch(kind, operations string) map[string]string {
	return kustomizationOf("patches:\n- target: {kind: " + kind + "}\n  patch: |-\n    [" + operations + "]\n")
}

const (
	predictorAffinity = `/spec/predictor/affinity`
	requiredNodesAt   = predictorAffinity + `/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution`
)

func TestAnOverlayMayNotWeakenWhatIsRendered(t *testing.T) {
	for name, c := range map[string]struct{ kind, patch, want string }{
		"no affinity at all": {kserveKind, `{op: remove, path: ` + predictorAffinity + `}`, "may leave their pool"},
		"no required nodes":  {kserveKind, `{op: remove, path: ` + requiredNodesAt + `}`, "no longer requires nodes by workload-type"},
		"another pool": {kserveKind, `{op: replace, path: ` + requiredNodesAt + `/nodeSelectorTerms/0/matchExpressions/0/values/0, value: phi}`,
			"may leave their pool"},
		"an alternative that requires less": {kserveKind, `{op: add, path: ` + requiredNodesAt + `/nodeSelectorTerms/-, value: {matchExpressions: [{key: zone, operator: Exists}]}}`,
			"may leave their pool"},
		"a toleration of everything": {kserveKind, `{op: add, path: /spec/predictor/tolerations, value: [{operator: Exists}]}`, "tolerates the taint"},
		"a toleration of another pool's taint": {kserveKind, `{op: add, path: /spec/predictor/tolerations/-, value: {key: phi, operator: Exists}}`,
			`tolerates the taint "phi"`},
		"a node by name":        {kserveKind, `{op: add, path: /spec/predictor/nodeName, value: n1}`, "past the scheduler"},
		"another scheduler":     {kserveKind, `{op: add, path: /spec/predictor/schedulerName, value: mine}`, "another scheduler"},
		"another account":       {kserveKind, `{op: replace, path: /spec/predictor/serviceAccountName, value: default}`, "service account"},
		"the account's token":   {kserveKind, `{op: replace, path: /spec/predictor/automountServiceAccountToken, value: true}`, "token"},
		"a late end":            {kserveKind, `{op: replace, path: /spec/predictor/terminationGracePeriodSeconds, value: 600}`, "90 seconds"},
		"a GPU":                 {kserveKind, `{op: add, path: /spec/predictor/model/resources/limits/nvidia.com~1gpu, value: 1}`, "1 × nvidia.com/gpu instead of none"},
		"a new component":       {kserveKind, `{op: add, path: /spec/transformer, value: {containers: [{image: a}]}}`, "adds the component transformer"},
		"something unreadable":  {kserveKind, `{op: replace, path: ` + predictorAffinity + `, value: none}`, "unreadable"},
		"a token for all":       {"ServiceAccount", `{op: replace, path: /automountServiceAccountToken, value: true}`, "token"},
		"the cluster's default": {"ServiceAccount", `{op: remove, path: /automountServiceAccountToken}`, "token"},
		"a projected token": {kserveKind, `{op: add, path: /spec/predictor/volumes, value: [{name: t, projected: {sources: [{serviceAccountToken: {path: token}}]}}]}`,
			"token"},
		"a lower level": {"Namespace", `{op: replace, path: /metadata/labels/pod-security.kubernetes.io~1enforce, value: privileged}`, "pod-security.kubernetes.io/enforce"},
		"a level that warns less": {"Namespace", `{op: replace, path: /metadata/labels/pod-security.kubernetes.io~1warn, value: baseline}`,
			"pod-security.kubernetes.io/warn"},
		"no level":              {"Namespace", `{op: remove, path: /metadata/labels/pod-security.kubernetes.io~1audit}`, "pod-security.kubernetes.io/audit"},
		"a level of old":        {"Namespace", `{op: add, path: /metadata/labels/pod-security.kubernetes.io~1enforce-version, value: v1.20}`, "enforce-version"},
		"a larger quota":        {"ResourceQuota", `{op: replace, path: /spec/hard/requests.cpu, value: "101"}`, "raises the quota of requests.cpu from 100 to 101"},
		"a quota less":          {"ResourceQuota", `{op: remove, path: /spec/hard/requests.nvidia.com~1gpu}`, "takes away the quota of requests.nvidia.com/gpu"},
		"a quota for some pods": {"ResourceQuota", `{op: add, path: /spec/scopes, value: [BestEffort]}`, "to some pods"},
		"no limits":             {"LimitRange", `{op: replace, path: /spec/limits, value: []}`, "takes away the limits of each Container"},
		"a larger limit":        {"LimitRange", `{op: replace, path: /spec/limits/0/default/cpu, value: "2"}`, "raises the default limit of cpu"},
		"no default request":    {"LimitRange", `{op: remove, path: /spec/limits/0/defaultRequest/memory}`, "default request of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := mustModel(t, churn())
			if c.kind != kserveKind && c.kind != "ServiceAccount" {
				objects = mustTenancy(t)
			}
			out, findings := Overlay(objects, overlayDir, overlayFiles(onePatch(c.kind, c.patch)))
			if out != nil || len(findings) != 1 || findings[0].Code != CodeOverlayWeakens || findings[0].Line != 2 ||
				!strings.Contains(findings[0].Message, c.want) || findings[0].Remedy == "" {
				t.Errorf("got %v and %d objects, want %s on line 2 with %q", findings, len(out), CodeOverlayWeakens, c.want)
			}
		})
	}
}

func TestAnOverlayMayStrengthenWhatIsRendered(t *testing.T) {
	for name, c := range map[string]struct{ kind, patch string }{
		"nodes of one zone": {kserveKind, `{op: add, path: ` + requiredNodesAt + `/nodeSelectorTerms/0/matchExpressions/-, value: {key: zone, operator: In, values: [a]}}`},
		"fewer tolerations": {kserveKind, `{op: remove, path: /spec/predictor/tolerations}`},
		"a faster end":      {kserveKind, `{op: replace, path: /spec/predictor/terminationGracePeriodSeconds, value: 60}`},
		"a read-only disk":  {kserveKind, `{op: add, path: /spec/predictor/model/securityContext/readOnlyRootFilesystem, value: true}`},
		"a higher level":    {"Namespace", `{op: replace, path: /metadata/labels/pod-security.kubernetes.io~1enforce, value: restricted}`},
		"a smaller quota":   {"ResourceQuota", `{op: replace, path: /spec/hard/requests.cpu, value: "50"}`},
		"one quota more":    {"ResourceQuota", `{op: add, path: /spec/hard/pods, value: "50"}`},
		"a smaller limit":   {"LimitRange", `{op: replace, path: /spec/limits/0/default/cpu, value: 500m}`},
		"a largest pod":     {"LimitRange", `{op: add, path: /spec/limits/-, value: {type: Pod, max: {cpu: "8"}}}`},
		"a role where the manifest names none": {"ServiceAccount",
			`{op: add, path: /metadata/annotations, value: {eks.amazonaws.com/role-arn: "arn:aws:iam::123456789012:role/models"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			objects := mustModel(t, churn())
			if c.kind != kserveKind && c.kind != "ServiceAccount" {
				objects = mustTenancy(t)
			}
			mustOverlay(t, objects, onePatch(c.kind, c.patch))
		})
	}
}

func TestAnOverlayMayNotTakeTheRoleThatAManifestNames(t *testing.T) {
	in := churn()
	in.Deployment.Spec.Serving.ServiceAccountRole = "arn:aws:iam::123456789012:role/churn"
	for name, patch := range map[string]string{
		"away":        `{op: remove, path: /metadata/annotations/eks.amazonaws.com~1role-arn}`,
		"for another": `{op: replace, path: /metadata/annotations/eks.amazonaws.com~1role-arn, value: other}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Overlay(mustModel(t, in), overlayDir, overlayFiles(onePatch("ServiceAccount", patch)))
			if len(findings) != 1 || findings[0].Code != CodeOverlayWeakens {
				t.Errorf("got %v", findings)
			}
		})
	}
}

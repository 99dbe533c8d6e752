package schemas

import (
	"slices"
	"strings"
	"testing"
)

func TestGovernance(t *testing.T) { expectBroken(t, "governance.yaml", governanceRules) }

var governanceRules = []mutation{
	{"another name", "name: governance", "name: ¦rules", CodePathMismatch},
	{"a role without holders", "legal: {teams: [acme/legal]}", "¦legal: {}", CodeRequired},
	{"a role held by a team without organisation", "teams: [acme/legal]", "teams: [¦legal]", CodeInvalidValue},
	{"a user with an @", "users: [octo-vp]", `users: [¦"@octo-vp"]`, CodeInvalidValue},
	{"a user twice in other case", "users: [octo-vp]", "users: [octo-vp, ¦Octo-VP]", CodeDuplicateValue},
	{"a score above 10", "critical: 10}", "critical: ¦11}", CodeOutOfRange},
	{"a negative score", "{none: 0, low: 2, moderate", "{none: ¦-1, low: 2, moderate", CodeOutOfRange},
	{"levels that fall", "{medium: 15, high: 30}", "{medium: 15, high: ¦15}", CodeNotAscending},
	{"a level above the greatest score", "{medium: 15, high: 30}", "{medium: 15, high: ¦51}", CodeOutOfRange},
	{"a medium level that begins at 0", "{medium: 15, high: 30}", "{medium: ¦0, high: 30}", CodeOutOfRange},
	{"an automatic role that is not defined", "automatic: team-lead", "automatic: ¦teamlead", CodeUnknownRole},
	{"a seat that is not defined", "seats: [manager,", "seats: [¦boss,", CodeUnknownRole},
	{"a seat twice", "seats: [manager, senior-data-scientist]", "seats: [manager, ¦manager]", CodeDuplicateValue},
	{"no seats", "seats: [manager, senior-data-scientist]", "¦seats: []", CodeOutOfRange},
	{"a board that is not defined", "board: cab", "board: ¦cap", CodeUnknownBoard},
	{"a chair that is not defined", "chair: vp-engineering", "chair: ¦cto", CodeUnknownRole},
	{"the chair among the members", "[ml-architect, senior", "[¦vp-engineering, senior", CodeDuplicateValue},
	{"a quorum beyond the seats", "quorum: 4", "quorum: ¦7", CodeOutOfRange},
	{"a quorum of all seats is fine", "quorum: 4", "quorum: 6", ""},
	{"a quorum of nobody", "quorum: 4", "quorum: ¦0", CodeOutOfRange},
	{"a day that does not exist", "Thursday", "¦Thursdays", CodeInvalidValue},
	{"an hour that does not exist", `from: "14:00"`, `from: ¦"24:00"`, CodeInvalidValue},
	{"a meeting that ends before it begins", `to: "16:00"`, `to: ¦"13:00"`, CodeNotAscending},
	{"a time zone that does not exist", "America/New_York", "¦America/Gotham", CodeInvalidValue},
	{"the machine's own time zone", "America/New_York", "¦Local", CodeInvalidValue},
	{"a window on no weekday", "  breakGlass:", "  windows: [{environments: [production], ¦weekdays: [], from: \"09:00\", to: \"17:00\", timeZone: UTC}]\n  breakGlass:", CodeOutOfRange},
	{"a window on a day that does not exist", "  breakGlass:", "  windows: [{environments: [production], weekdays: [¦Mon], from: \"09:00\", to: \"17:00\", timeZone: UTC}]\n  breakGlass:", CodeInvalidValue},
	{"a window at an hour that does not exist", "  breakGlass:", "  windows: [{environments: [production], weekdays: [Monday], from: ¦\"24:00\", to: \"17:00\", timeZone: UTC}]\n  breakGlass:", CodeInvalidValue},
	{"a window in a zone that does not exist", "  breakGlass:", "  windows: [{environments: [production], weekdays: [Monday], from: \"09:00\", to: \"17:00\", timeZone: ¦Mars/Olympus}]\n  breakGlass:", CodeInvalidValue},
	{"a window overnight is fine", "  breakGlass:", "  windows: [{environments: [production], weekdays: [Monday], from: \"22:00\", to: \"04:00\", timeZone: UTC}]\n  breakGlass:", ""},
	{"alternates of nobody", "legal: {teams: [acme/legal]}", "legal: {teams: [acme/legal], ¦alternates: {}}", CodeRequired},
	{"alternates beside holders are fine", "legal: {teams: [acme/legal]}", "legal: {teams: [acme/legal], alternates: {users: [583231+octo-cat]}}", ""},
	{"a role with alternates alone", "legal: {teams: [acme/legal]}", "¦legal: {alternates: {teams: [acme/legal]}}", CodeRequired},
	{"an account with an id of nobody", "vp-engineering: {users: [octo-vp]}", "vp-engineering: {users: [¦0+octo-vp]}", CodeInvalidValue},
	{"a freeze that ends before it begins", `to: "2027-01-02T00:00:00Z"`, `to: ¦"2026-01-02T00:00:00Z"`, CodeNotAscending},
	{"a freeze without a zone", `to: "2027-01-02T00:00:00Z"`, `to: ¦"2027-01-02 00:00:00"`, CodeInvalidValue},
	{"an unquoted time is fine", `to: "2027-01-02T00:00:00Z"`, `to: 2027-01-02T00:00:00Z`, ""},
	{"a break-glass role that is not defined", "breakGlass: {role: platform-admin}", "breakGlass: {role: ¦root}", CodeUnknownRole},
	{"no break-glass is fine", "  breakGlass: {role: platform-admin}\n", "", ""},
	{"autoMerge unsaid", "low: {automatic: team-lead, sla: 24h, autoMerge: false,", "¦low: {automatic: team-lead, sla: 24h,", CodeRequired},
	{"a service level of no time", "sla: 24h", "sla: ¦0h", CodeOutOfRange},
}

func TestEnvironment(t *testing.T) { expectBroken(t, "environment.yaml", environmentRules) }

var environmentRules = []mutation{
	{"an environment that waits for itself", "after: staging", "after: ¦production", CodePromotionCycle},
	{"a template with another placeholder", `"{team}-{environment}"`, `¦"{team}-{model}"`, CodeInvalidValue},
	{"an unquoted KServe version", `version: "0.20"`, "version: ¦0.20", CodeWrongType},
	{"a KServe that is too old", `version: "0.20"`, `version: ¦"0.10"`, CodeOutOfRange},
	{"an unknown mode", "mode: Standard", "mode: ¦Serverless", CodeUnknownValue},
	{"an overlay outside its folder", "overlays/production", "¦policy/production", CodeInvalidValue},
	{"an overlay that climbs", "overlays/production", "¦overlays/../teams", CodeInvalidValue},
	{"an unknown drift policy", "drift: heal", "drift: ¦ignore", CodeUnknownValue},
	{"an empty registry", `["registry.example.com/"]`, `[¦""]`, CodeInvalidValue},
	{"two pools of one name", "name: gpu\n", "name: ¦compute\n", CodeDuplicateValue},
	{"a pool called auto", "name: gpu\n", "name: ¦auto\n", CodeUnknownValue},
	{"a negative price", `onDemand: "0.752"`, `onDemand: ¦"-0.752"`, CodeOutOfRange},
	{"a price with seven decimals", `onDemand: "0.752"`, `onDemand: ¦"0.7520001"`, CodeInvalidValue},
	{"a plain price is fine", `onDemand: "0.752"`, `onDemand: 0.752`, ""},
	{"a price for a month", `spot: "0.2256", currency: USD, per: hour`, `spot: "0.2256", currency: USD, per: ¦month`, CodeUnknownValue},
	{"a currency in small letters", `spot: "0.2256", currency: USD`, `spot: "0.2256", currency: ¦usd`, CodeInvalidValue},
	{"a taint effect that does not exist", "[{key: phi, value: \"true\", effect: NoSchedule}]", "[{key: phi, value: \"true\", effect: ¦Never}]", CodeUnknownValue},
	{"a taint twice", "[{key: phi, value: \"true\", effect: NoSchedule}]", "[{key: phi, effect: NoSchedule}, ¦{key: phi, effect: NoSchedule}]", CodeDuplicateValue},
	{"a label key with a space", "{workload-type: phi}", `{¦"workload type": phi}`, CodeInvalidValue},
	{"a label value with a slash", "{workload-type: phi}", "{workload-type: ¦a/b}", CodeInvalidValue},
	{"more nodes at least than at most", "{min: 0, max: 4,", "{min: 5, max: ¦4,", CodeOutOfRange},
	{"an accelerator that is every node's", "resource: nvidia.com/gpu", "resource: ¦cpu", CodeInvalidValue},
	{"an accelerator without a domain", "resource: nvidia.com/gpu", "resource: ¦gpu", CodeInvalidValue},
	{"an accelerator of Kubernetes' own", "resource: nvidia.com/gpu", "resource: ¦kubernetes.io/gpu", CodeInvalidValue},
	{"an accelerator of a domain of Kubernetes' own", "resource: nvidia.com/gpu", "resource: ¦node.kubernetes.io/gpu", CodeInvalidValue},
	{"memory of a node without a unit", "memory: 29636Mi", "memory: ¦29636", CodeAmount},
	{"a quota for an accelerator", "resource: nvidia.com/gpu", "resource: ¦requests.nvidia.com/gpu", CodeInvalidValue},
	{"a slice of an accelerator is fine", "resource: nvidia.com/gpu", "resource: nvidia.com/mig-1g.5gb", ""},
	{"a node with no accelerator", "perNode: 1", "perNode: ¦0", CodeOutOfRange},
	{"a day that the calendar does not have", "date: 2026-07-20}\n    - name: gpu", "date: ¦2026-02-30}\n    - name: gpu", CodeInvalidValue},
	{"an artifact template that leads upwards", "  drift: heal", "  artifacts: ¦s3://b/../{name}/{version}\n  drift: heal", CodeInvalidValue},
	{"an artifact template with another placeholder", "  drift: heal", "  artifacts: ¦s3://b/{model}\n  drift: heal", CodeInvalidValue},
	{"isolation that is complete is fine", "  drift: heal", isolate("s3://models-phi/{name}/v{version}"), ""},
	{"isolated data without a pool of its own", "  drift: heal", strings.Replace(isolate("s3://models-phi/{name}"), "[phi]", "[¦pii]", 1), CodeIsolation},
	{"isolated artefacts among the others", "  drift: heal", isolate("¦s3://mlops-models/{name}"), CodeIsolation},
	{"isolated artefacts without a folder", "  drift: heal", isolate("¦s3://{name}/{version}"), CodeIsolation},
	{"isolated artefacts in a bucket that begins alike", "  drift: heal", isolate("¦s3://phi-{name}/{version}"), CodeIsolation},
	{"isolation for nobody", "  drift: heal", strings.Replace(isolate("s3://models-phi/{name}"), "teams: [data-science]", "¦teams: []", 1), CodeOutOfRange},
	{"a peer that is pods and addresses", "  drift: heal", "  network: {gateways: [¦{namespaces: [a], cidr: 10.0.0.0/8}]}\n  drift: heal", CodeConflict},
	{"a peer that is nothing", "  drift: heal", "  network: {dns: [¦{ports: [{port: 53}]}]}\n  drift: heal", CodeConflict},
	{"addresses with labels", "  drift: heal", "  network: {dns: [¦{cidr: 10.0.0.0/8, pods: {a: b}}]}\n  drift: heal", CodeConflict},
	{"a range with a bit beyond its prefix", "  drift: heal", "  network: {storage: [{cidr: ¦10.0.0.1/8}]}\n  drift: heal", CodeInvalidValue},
	{"a range that is none", "  drift: heal", "  network: {storage: [{cidr: ¦10.0.0.0/33}]}\n  drift: heal", CodeInvalidValue},
	{"a port beyond all", "  drift: heal", "  network: {storage: [{cidr: fd00::/8, ports: [{port: ¦65536}]}]}\n  drift: heal", CodeOutOfRange},
	{"nobody at all is fine", "  drift: heal", "  network: {registry: []}\n  drift: heal", ""},
	{"a level that nobody enforces", "  drift: heal", "  podSecurity: ¦privileged\n  drift: heal", CodeUnknownValue},
	{"observability with its defaults is fine", "  drift: heal", "  observability: {}\n  drift: heal", ""},
	{"metrics that nobody may read", "  drift: heal", "  observability: {}\n  network: {¦metrics: []}\n  drift: heal", CodeConflict},
	{"metrics that nobody reads are fine", "  drift: heal", "  network: {metrics: []}\n  drift: heal", ""},
	{"nobody is shut out where nothing shuts off", "  drift: heal", "  observability: {}\n  network: {policy: none, metrics: []}\n  drift: heal", ""},
	{"a label of Mooring's own on monitors", "  drift: heal", "  observability: {¦labels: {mlops-platform.com/team: a}}\n  drift: heal", CodeConflict},
	{"a label of Mooring's own on dashboards", "  drift: heal", "  observability: {¦dashboardLabels: {app.kubernetes.io/managed-by: a}}\n  drift: heal", CodeConflict},
	{"a mesh that is not known", "  drift: heal", "  observability: {mesh: ¦linkerd}\n  drift: heal", CodeUnknownValue},
	{"a pool dedicated to nothing", "onlyFor: {dataSensitivity: [phi]}", "¦onlyFor: {}", CodeRequired},
}

// Models find their pool by its labels alone.
func TestPoolsAreToldApartByTheirLabels(t *testing.T) {
	expectBroken(t, "environment.yaml", []mutation{
		{"a dedicated pool with another's labels", "labels: {workload-type: phi}", "¦labels: {workload-type: compute}", CodePoolLabels},
		{"a dedicated pool with another's labels and more", "labels: {workload-type: phi}", "¦labels: {workload-type: gpu, tier: phi}", CodePoolLabels},
		{"a dedicated pool whose labels another's spot nodes have", "labels: {workload-type: phi}", "¦labels: {capacity: SPOT}", CodePoolLabels},
		{"a dedicated pool without labels", "labels: {workload-type: phi}", "¦labels: {}", CodePoolLabels},
		{"one of several pools without labels", "labels: {workload-type: gpu}", "¦labels: {}", CodePoolLabels},
		{"two pools for all data with one label are fine", "labels: {workload-type: gpu}", "labels: {workload-type: compute}", ""},
		{"two pools for the same data with one label are fine", "labels: {workload-type: gpu}", "labels: {workload-type: phi}\n      onlyFor: {dataSensitivity: [phi]}", ""},
		{"two pools for different data with one label", "labels: {workload-type: gpu}", "¦labels: {workload-type: phi}\n      onlyFor: {dataSensitivity: [pii]}", CodePoolLabels},
	})
}

// isolate adds isolation to the example.
func isolate(artifacts string) string {
	at, artifacts, marked := strings.Cut(artifacts, mark)
	if marked {
		at = mark
	} else {
		at, artifacts = "", at
	}
	return "  isolation:\n    - dataSensitivity: [phi]\n      namespace: \"{team}-phi-{environment}\"\n      artifacts: " +
		at + "\"" + artifacts + "\"\n      teams: [data-science]\n  drift: heal"
}

func TestSpotNodesWithoutAPriceAreAWarning(t *testing.T) {
	text := strings.Replace(fixture(t, "environment.yaml"), `spot: "0.2304", `, "", 1)
	doc, findings := ParseEnvironment("f.yaml", []byte(text))
	expectOne(t, findings, CodeSpot, Position{18, 7})
	if doc == nil || doc.Value.Spec.Pools[0].OffersSpot() {
		t.Error("a pool without a spot price must load, and offer no spot")
	}
}

func TestTeam(t *testing.T) { expectBroken(t, "team.yaml", teamRules) }

var teamRules = []mutation{
	{"a group of Kubernetes' own", "  costCenter:", "  access: [{group: ¦\"system:authenticated\", role: viewer}]\n  costCenter:", CodeInvalidValue},
	{"a role that gives everything", "  costCenter:", "  access: [{group: ds, role: ¦admin}]\n  costCenter:", CodeUnknownValue},
	{"groups of people are fine", "  costCenter:", "  access: [{group: \"oidc:acme/ds\", role: operator, isolated: true}]\n  costCenter:", ""},
	{"a budget that denies before it warns", "warn: 80%, deny: 100%", "warn: 80%, deny: ¦70%", CodeNotAscending},
	{"a budget without currency", "budget: {monthly: \"19000\", currency: USD,", "¦budget: {monthly: \"19000\",", CodeRequired},
	{"a negative budget", `"19000"`, `¦"-1"`, CodeOutOfRange},
	{"an address without @", "data-science@example.com", "¦example.com", CodeInvalidValue},
	{"a negative number of GPUs", "gpu: 4}", "gpu: ¦-1}", CodeOutOfRange},
	{"a quota of memory in thousandths of a byte", "memory: 200Gi", "memory: ¦200m", CodeAmount},
	{"a quota of memory without a unit", "memory: 200Gi", "memory: ¦200", CodeAmount},
	{"a quota of no memory", "memory: 200Gi", "memory: ¦0Gi", CodeOutOfRange},
	{"a role without holders", "team-lead: {users: [octo-lead]}", "¦team-lead: {users: []}", CodeRequired},
}

// treeMutation breaks one file of the example tree; from "" replaces all of it.
type treeMutation struct {
	file string
	mutation
}

func TestReferencesBetweenFiles(t *testing.T) {
	const (
		production = "environments/production.yaml"
		staging    = "environments/staging.yaml"
		team       = "teams/data-science.yaml"
	)
	for _, m := range []treeMutation{
		{GovernancePath, mutation{"a freeze of an unknown environment", "environments: [production]", "environments: [¦prod]", CodeUnknownEnvironment}},
		{production, mutation{"a promotion after an unknown environment", "after: staging", "after: ¦stage", CodeUnknownEnvironment}},
		{production, mutation{"a pool for an unknown sensitivity", "dataSensitivity: [phi]", "dataSensitivity: [¦secret]", CodeUnknownValue}},
		{production, mutation{"isolation for an unknown team", "  drift: heal", strings.Replace(isolate("s3://models-phi/{name}"), "[data-science]", "[¦gone]", 1), CodeUnknownTeam}},
		{production, mutation{"an isolated namespace that is the common one", "  drift: heal", strings.Replace(isolate("s3://models-phi/{name}"), "\"{team}-phi-", "¦\"{team}-", 1), CodeNamespace}},
		{production, mutation{"a file whose name is another's", "name: production", "name: ¦prod", CodePathMismatch}},
		{staging, mutation{"another currency than the others", `price: {onDemand: "0.752", spot: "0.2256", currency: USD`, `price: {onDemand: "0.752", spot: "0.2256", currency: ¦EUR`, CodeMixedCurrencies}},
		{production, mutation{"a namespace of Kubernetes", `"{team}-{environment}"`, `¦"kube-{team}"`, CodeNamespace}},
		{production, mutation{"a namespace of Mooring", `"{team}-{environment}"`, `¦"mooring-{team}"`, CodeNamespace}},
		{production, mutation{"a namespace that ends with a hyphen", `"{team}-{environment}"`, `¦"{team}-"`, CodeNamespace}},
		{team, mutation{"a quota for an unknown environment", "    production: {cpu", "    ¦prod: {cpu", CodeUnknownEnvironment}},
		{team, mutation{"a role that the governance does not know", "roles: {team-lead", "roles: {¦lead", CodeUnknownRole}},
		{team, mutation{"a role with a board's seat", "roles: {team-lead", "roles: {¦legal", CodeBoardSeat}},
		{manifestPath, mutation{"an unknown team", "team: data-science", "team: ¦data-sience", CodeUnknownTeam}},
		{manifestPath, mutation{"an unknown fact", "businessImpact: high", "businessImpact: ¦huge", CodeUnknownValue}},
		{manifestPath, mutation{"an unknown regulation", "regulations: [gdpr]", "regulations: [gdpr, ¦gpdr]", CodeUnknownValue}},
		{manifestPath, mutation{"another name than the path's", "metadata:\n  name: churn-predictor", "metadata:\n  name: ¦churn", CodePathMismatch}},
		{manifestPath, mutation{"an unknown pool", "capacity: spot", "pool: ¦gpus", CodeUnknownPool}},
		{manifestPath, mutation{"an accelerator that no pool offers", "type: nvidia-t4", "type: ¦nvidia-t5", CodeUnknownAccelerator}},
		{manifestPath, mutation{"an accelerator by its resource is fine", "type: nvidia-t4", "type: nvidia.com/gpu", ""}},
		{manifestPath, mutation{"no replicas outside Knative mode", "{min: 2, max: 10}", "{min: ¦0, max: 10}", CodeServingMode}},
		{manifestPath, mutation{"a metric of the other mode", "capacity: spot", "autoscaling: {metric: ¦rps, target: 5}", CodeServingMode}},
	} {
		t.Run(m.name, func(t *testing.T) {
			files := exampleTree(t)
			i := slices.IndexFunc(files, func(f File) bool { return f.Path == m.file })
			text, at := m.apply(t, string(files[i].Content))
			files[i].Content = []byte(text)
			_, findings := LoadRepository(files)
			// A file that broke is reported again by what refers to it, and a team
			// that is unknown also differs from the path.
			findings = slices.DeleteFunc(findings, func(f Finding) bool {
				return f.Code == CodeBrokenReference || f.Code == CodePathMismatch && m.code != CodePathMismatch
			})
			expectOne(t, findings, m.code, at)
			if m.code != "" && findings[0].File != m.file {
				t.Errorf("reported in %s", findings[0].File)
			}
		})
	}
}

func TestPromotionMayNotGoInCircles(t *testing.T) {
	files := exampleTree(t)
	files[2].Content = []byte(strings.Replace(string(files[2].Content), "spec:\n", "spec:\n  promotion: {after: production}\n", 1))
	_, findings := LoadPlatform(files)
	for _, f := range findings {
		if f.Code != CodePromotionCycle {
			t.Errorf("unexpected: %s", f)
		}
	}
	if len(findings) != 2 {
		t.Errorf("%d findings, want one for each member", len(findings))
	}
}

func TestTwoEnvironmentsMayNotShareANamespace(t *testing.T) {
	files := exampleTree(t)
	for _, i := range []int{1, 2} {
		files[i].Content = []byte(strings.Replace(string(files[i].Content), `"{team}-{environment}"`, `"{team}"`, 1))
	}
	_, findings := LoadPlatform(files)
	if len(findings) != 1 || findings[0].Code != CodeNamespace {
		t.Error(findings)
	}
}

func TestAReferenceToABrokenFileSaysSo(t *testing.T) {
	files := exampleTree(t)
	files[1].Content = []byte("kind: [")
	files[3].Refused, files[3].Content = "it is a symbolic link", nil
	repo, findings := LoadRepository(files)
	codes := map[string]int{}
	for _, f := range findings {
		codes[f.File+" "+f.Code]++
	}
	for _, want := range []string{
		"environments/production.yaml syntax", "teams/data-science.yaml refused-file",
	} {
		if codes[want] != 1 {
			t.Errorf("no finding %q among %v", want, codes)
		}
	}
	if codes[manifestPath+" broken-reference"] != 2 || codes[manifestPath+" unknown-team"] != 0 {
		t.Errorf("the manifest's references: %v", codes)
	}
	if !repo.Broken("teams/data-science.yaml") || repo.Teams["data-science"] != nil || repo.ManifestFiles != 1 {
		t.Error("a broken file is not remembered as such")
	}
}

func TestAMissingGovernanceIsReported(t *testing.T) {
	_, findings := LoadPlatform(exampleTree(t)[1:])
	if len(findings) != 1 || findings[0].Code != CodeMissingGovernance {
		t.Error(findings)
	}
}

func TestAHostNameThatDNSCannotHoldIsAWarning(t *testing.T) {
	files := exampleTree(t)
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == manifestPath })
	// churn-predictor-predictor-data-science-production has 49 characters; with
	// a name that is 14 longer it fits exactly, with one more it does not. The
	// second service of a canary has the name and seven more.
	for _, one := range []struct {
		extra    int
		canary   string
		findings int
	}{{14, "", 0}, {15, "", 1}, {7, noCanary.from, 0}, {8, noCanary.from, 1}} {
		name := "churn-predictor" + strings.Repeat("x", one.extra)
		unit := Unit{Team: "data-science", Model: name, Environment: "production"}
		text := strings.ReplaceAll(string(files[i].Content), "churn-predictor", name)
		text = strings.Replace(text, noCanary.from, one.canary, 1)
		changed := slices.Clone(files)
		changed[i] = File{Path: unit.Path(), Content: []byte(text)}
		_, findings := LoadRepository(changed)
		if len(findings) != one.findings || one.findings == 1 &&
			(findings[0].Code != CodeHostName || findings[0].Severity != SeverityWarning) {
			t.Errorf("%d characters more: %v", one.extra, findings)
		}
	}
}

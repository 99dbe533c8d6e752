package privilege

import (
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

func find(findings []policy.Finding, field string) schemas.Severity {
	for _, f := range findings {
		if f.Field == field {
			return f.Severity
		}
	}
	return ""
}

func TestVariablesThatAreMoreThanSettings(t *testing.T) {
	value := "x"
	literal := func(name string) schemas.EnvVar { return schemas.EnvVar{Name: name, Value: &value} }
	reference := func(name string) schemas.EnvVar {
		return schemas.EnvVar{Name: name, ValueFrom: &schemas.EnvVarSource{SecretKeyRef: &schemas.KeyRef{Name: "s", Key: "k"}}}
	}
	for _, tc := range []struct {
		name string
		env  schemas.EnvVar
		want schemas.Severity
	}{
		{"a library loaded before the others", literal("LD_PRELOAD"), schemas.SeverityError},
		{"a library by reference is no better", reference("LD_PRELOAD"), schemas.SeverityError},
		{"an auditing library", literal("LD_AUDIT"), schemas.SeverityError},
		{"a start-up file of Python", literal("PYTHONSTARTUP"), schemas.SeverityError},
		{"other libraries are sometimes right", literal("LD_LIBRARY_PATH"), schemas.SeverityWarning},
		{"a static key", literal("AWS_ACCESS_KEY_ID"), schemas.SeverityError},
		{"a static secret key", literal("AWS_SECRET_ACCESS_KEY"), schemas.SeverityError},
		{"a key by reference", reference("AWS_SECRET_ACCESS_KEY"), ""},
		{"a role beside the declared one", literal("AWS_ROLE_ARN"), schemas.SeverityError},
		{"a token file beside the projected one", literal("AWS_WEB_IDENTITY_TOKEN_FILE"), schemas.SeverityError},
		{"another API server", literal("KUBERNETES_SERVICE_HOST"), schemas.SeverityError},
		{"another artefact", literal("STORAGE_URI"), schemas.SeverityError},
		{"a setting", literal("LOG_LEVEL"), ""},
		{"a region", literal("AWS_REGION"), ""},
		{"names are case-sensitive to the loader", literal("ld_preload"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			list := []schemas.EnvVar{literal("FIRST"), tc.env}
			var d schemas.ModelDeployment
			d.Spec.Serving = schemas.Serving{
				Env: list, Container: &schemas.Container{Env: list},
				Transformer: &schemas.Component{Env: list}, Explainer: &schemas.Component{Env: list},
			}
			findings := Check(schemas.EnvironmentSpec{}, d)
			for _, part := range []string{"", "container.", "transformer.", "explainer."} {
				if got := find(findings, "spec.serving."+part+"env[1].name"); got != tc.want {
					t.Errorf("%q in %senv, want %q", got, part, tc.want)
				}
			}
			for _, f := range findings {
				if f.Remedy == "" || f.Code != CodeEnv {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func TestArgumentsThatLetTheArtefactBringCode(t *testing.T) {
	for arg, want := range map[string]schemas.Severity{
		"--trust-remote-code": schemas.SeverityWarning, "--trust_remote_code": schemas.SeverityWarning,
		"--trust-remote-code=true": schemas.SeverityWarning, "--Trust-Remote-Code=1": schemas.SeverityWarning,
		"--trust-remote-code=false": "", "--model=trust-remote-code": "", "--port": "",
	} {
		var d schemas.ModelDeployment
		d.Spec.Serving.Container = &schemas.Container{Args: []string{"serve", arg}}
		d.Spec.Serving.Explainer = &schemas.Component{Args: []string{arg}}
		findings := Check(schemas.EnvironmentSpec{}, d)
		for _, field := range []string{"spec.serving.container.args[1]", "spec.serving.explainer.args[0]"} {
			if got := find(findings, field); got != want {
				t.Errorf("%s at %s: %q, want %q", arg, field, got, want)
			}
		}
	}
}

func TestARoleHasToBeOneOfTheTeams(t *testing.T) {
	const account = "arn:aws:iam::123456789012:role/"
	roles := []string{account + "{team}/*", account + "shared-{environment}"}
	for _, tc := range []struct {
		name, role string
		templates  []string
		refused    bool
	}{
		{"none is asked for", "", roles, false},
		{"one of the team's", account + "ds/churn", roles, false},
		{"the one of the environment", account + "shared-production", roles, false},
		{"another team's", account + "hr/salaries", roles, true},
		{"a team whose name begins like it", account + "ds2/churn", roles, true},
		{"one that only begins like a whole name", account + "shared-production-admin", roles, true},
		{"another account", "arn:aws:iam::999999999999:role/ds/churn", roles, true},
		{"the environment allows none", account + "ds/churn", []string{}, true},
		{"the environment says nothing", account + "hr/salaries", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var d schemas.ModelDeployment
			d.Spec.Team, d.Spec.Environment = "ds", "production"
			d.Spec.Serving.ServiceAccountRole = tc.role
			findings := Check(schemas.EnvironmentSpec{ServiceAccountRoles: tc.templates}, d)
			if refused := find(findings, "spec.serving.serviceAccountRole") == schemas.SeverityError; refused != tc.refused {
				t.Errorf("%+v", findings)
			}
		})
	}
}

func TestPayloadsThatLeaveTheCluster(t *testing.T) {
	for address, outside := range map[string]bool{
		"http://broker.logging.svc/default": false, "http://broker.logging.svc.cluster.local:8080": false, "http://broker": false,
		"https://collector.example.com/": true, "http://203.0.113.7/": true, "http://svc.example.com": true, "http://evil.com.svc.example.com": true,
	} {
		var d schemas.ModelDeployment
		d.Spec.Serving.Logger = &schemas.Logger{URL: address, Mode: schemas.LogAll}
		if got := find(Check(schemas.EnvironmentSpec{}, d), "spec.serving.logger.url") == schemas.SeverityWarning; got != outside {
			t.Errorf("%s: outside %t", address, got)
		}
	}
}

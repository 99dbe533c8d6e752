package privilege

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings.
const (
	// CodeEnv: an environment variable that changes more than a setting.
	CodeEnv = "privileged-env"
	// CodeArgs: an argument that lets the artefact bring its own code.
	CodeArgs = "privileged-args"
	// CodeRole: an IAM role that the environment does not allow the team.
	CodeRole = "role-not-allowed"
	// CodeLogger: requests are copied to a place outside the cluster.
	CodeLogger = "logger-outside"
)

// Check judges a manifest by the environment it is for.
func Check(env schemas.EnvironmentSpec, d schemas.ModelDeployment) []policy.Finding {
	var findings []policy.Finding
	for field, list := range d.Spec.Serving.EnvLists() {
		for i, e := range list {
			if f := checkEnv(e); f != nil {
				f.Field = fmt.Sprintf("%s[%d].name", field, i)
				findings = append(findings, *f)
			}
		}
	}
	findings = append(findings, checkArgs(d.Spec.Serving)...)
	findings = append(findings, checkRole(env, d)...)
	return append(findings, checkLogger(d.Spec.Serving.Logger)...)
}

// variable is one that a manifest should not set.
type variable struct {
	severity schemas.Severity
	// literal: only a value in the file is wrong, a reference is not.
	literal     bool
	why, remedy string
}

const (
	inImage    = "build it into the image, where it is scanned and pinned by digest"
	byRole     = "use spec.serving.serviceAccountRole, or refer to a Secret with secretKeyRef"
	loadsCode  = "it loads code of somebody's choice into the process before the server's own"
	staticKey  = "it is a key of the cloud, written down for everybody who reads this file"
	otherAgent = "it lets the pod act as another identity than spec.serving.serviceAccountRole says"
)

// variables by name. The loader's are of ld.so(8), the shell's of bash(1), the
// interpreter's of https://docs.python.org/3/using/cmdline.html; PYTHONPATH is
// refused by the loader of manifests already.
var variables = map[string]variable{
	"LD_PRELOAD":      {schemas.SeverityError, false, loadsCode, inImage},
	"LD_AUDIT":        {schemas.SeverityError, false, loadsCode, inImage},
	"GCONV_PATH":      {schemas.SeverityError, false, loadsCode, inImage},
	"BASH_ENV":        {schemas.SeverityError, false, loadsCode, inImage},
	"PYTHONSTARTUP":   {schemas.SeverityError, false, loadsCode, inImage},
	"PYTHONHOME":      {schemas.SeverityError, false, loadsCode, inImage},
	"LD_LIBRARY_PATH": {schemas.SeverityWarning, false, "it changes which libraries the server loads", inImage},
	"PATH":            {schemas.SeverityWarning, false, "it changes which programs the container runs", inImage},
	// https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
	"AWS_ACCESS_KEY_ID":           {schemas.SeverityError, true, staticKey, byRole},
	"AWS_SECRET_ACCESS_KEY":       {schemas.SeverityError, true, staticKey, byRole},
	"AWS_SESSION_TOKEN":           {schemas.SeverityError, true, staticKey, byRole},
	"AWS_ROLE_ARN":                {schemas.SeverityError, false, otherAgent, "write the role in spec.serving.serviceAccountRole"},
	"AWS_WEB_IDENTITY_TOKEN_FILE": {schemas.SeverityError, false, otherAgent, "write the role in spec.serving.serviceAccountRole"},
	// Where a client in the pod sends its ServiceAccount's token.
	"KUBERNETES_SERVICE_HOST": {schemas.SeverityError, false, "it sends the pod's own credentials to another API server", "take it out: Kubernetes sets it"},
	"KUBERNETES_SERVICE_PORT": {schemas.SeverityError, false, "it sends the pod's own credentials to another API server", "take it out: Kubernetes sets it"},
	// pkg/webhook/admission/pod/storage_initializer_injector.go of KServe v0.20.0.
	"STORAGE_URI": {schemas.SeverityError, false, "KServe fetches the artefact from there, not from what spec.model says", "write spec.model.uri"},
}

func checkEnv(e schemas.EnvVar) *policy.Finding {
	v, ok := variables[e.Name]
	if !ok || v.literal && e.Value == nil {
		return nil
	}
	return &policy.Finding{
		Severity: v.severity, Code: CodeEnv, Message: fmt.Sprintf("%s may not be set here: %s", e.Name, v.why), Remedy: v.remedy,
	}
}

// checkArgs looks for the switch by which transformers and vLLM run the Python
// files of a model's repository.
func checkArgs(s schemas.Serving) []policy.Finding {
	var findings []policy.Finding
	for _, part := range []struct {
		field string
		args  []string
	}{
		{"spec.serving.container", containerArgs(s.Container)},
		{"spec.serving.transformer", componentArgs(s.Transformer)},
		{"spec.serving.explainer", componentArgs(s.Explainer)},
	} {
		for i, arg := range part.args {
			name, value, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(arg), "_", "-"), "=")
			if strings.TrimLeft(name, "-") != "trust-remote-code" || value == "false" {
				continue
			}
			findings = append(findings, policy.Finding{
				Severity: schemas.SeverityWarning, Code: CodeArgs, Field: fmt.Sprintf("%s.args[%d]", part.field, i),
				Message: "the argument lets the model's repository bring Python code that the server runs",
				Remedy:  "serve a model that needs no code of its own, or let a reviewer read that code at the pinned version",
			})
		}
	}
	return findings
}

func containerArgs(c *schemas.Container) []string {
	if c == nil {
		return nil
	}
	return c.Args
}

func componentArgs(c *schemas.Component) []string {
	if c == nil {
		return nil
	}
	return c.Args
}

// checkRole holds the IAM role against those that the environment allows.
func checkRole(env schemas.EnvironmentSpec, d schemas.ModelDeployment) []policy.Finding {
	role := d.Spec.Serving.ServiceAccountRole
	if role == "" || env.ServiceAccountRoles == nil {
		return nil
	}
	fill := strings.NewReplacer("{team}", d.Spec.Team, "{environment}", d.Spec.Environment)
	allowed := slices.ContainsFunc(env.ServiceAccountRoles, func(template string) bool {
		pattern, open := strings.CutSuffix(fill.Replace(template), "*")
		return role == pattern || open && strings.HasPrefix(role, pattern)
	})
	if allowed {
		return nil
	}
	return []policy.Finding{{
		Severity: schemas.SeverityError, Code: CodeRole, Field: "spec.serving.serviceAccountRole",
		Message: fmt.Sprintf("the role is none that team %s may use in %s", d.Spec.Team, d.Spec.Environment),
		Remedy:  "use a role of spec.serviceAccountRoles in " + schemas.EnvironmentPath(d.Spec.Environment),
	}}
}

// checkLogger warns of a sink whose host is no name inside the cluster.
func checkLogger(l *schemas.Logger) []policy.Finding {
	if l == nil {
		return nil
	}
	u, err := url.Parse(l.URL)
	if err == nil && clusterLocal(u.Hostname()) {
		return nil
	}
	return []policy.Finding{{
		Severity: schemas.SeverityWarning, Code: CodeLogger, Field: "spec.serving.logger.url",
		Message: "the payloads of requests are copied to a host outside the cluster",
		Remedy:  "send them to a service in the cluster, such as http://broker.logging.svc/default, or let a reviewer confirm the receiver",
	}}
}

func clusterLocal(host string) bool {
	return host != "" && !strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}

package artifact

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

var (
	refusing = schemas.EnvironmentSpec{Models: &schemas.ModelPolicy{Pickle: schemas.PickleRefuse}}
	allowing = schemas.EnvironmentSpec{Models: &schemas.ModelPolicy{Pickle: schemas.PickleAllow}}
)

func model(format schemas.ModelFormat, uri string) schemas.ModelDeployment {
	var d schemas.ModelDeployment
	d.Spec.Model = schemas.Model{Name: "m", Version: "1", Format: format, URI: uri}
	return d
}

func check(env schemas.EnvironmentSpec, d schemas.ModelDeployment) []policy.Finding {
	return Check(env, d, d.Spec.Model.URI)
}

func severity(findings []policy.Finding, field string) schemas.Severity {
	for _, f := range findings {
		if f.Field == field {
			return f.Severity
		}
	}
	return ""
}

func TestTheFormatDecidesWhoLoadsTheArtefact(t *testing.T) {
	const field = "spec.model.format"
	want := map[schemas.ModelFormat]schemas.Severity{
		schemas.FormatSKLearn: schemas.SeverityError, schemas.FormatPyTorch: schemas.SeverityError, schemas.FormatMLflow: schemas.SeverityError,
		schemas.FormatHuggingFace: schemas.SeverityWarning, schemas.FormatVLLM: schemas.SeverityWarning, schemas.FormatCustom: schemas.SeverityWarning,
		schemas.FormatXGBoost: "", schemas.FormatLightGBM: "", schemas.FormatTensorFlow: "", schemas.FormatONNX: "",
		schemas.FormatTriton: "", schemas.FormatPMML: "", schemas.FormatPaddle: "",
	}
	for _, format := range schemas.ModelFormats {
		expected, ok := want[format]
		if !ok {
			t.Errorf("nobody said whether %s is loaded by pickle", format)
		}
		findings := check(refusing, model(format, "s3://bucket/model"))
		if got := severity(findings, field); got != expected {
			t.Errorf("%s: %q, want %q", format, got, expected)
		}
		for _, f := range findings {
			if f.Remedy == "" || f.Code != CodePickle {
				t.Errorf("%s: %+v", format, f)
			}
		}
		for name, env := range map[string]schemas.EnvironmentSpec{"allows pickle": allowing, "has no policy": {}} {
			if got := check(env, model(format, "s3://bucket/model.pkl")); len(got) > 0 {
				t.Errorf("%s where the environment %s: %+v", format, name, got)
			}
		}
	}
}

func TestTheExtensionGivesAPickleAway(t *testing.T) {
	for _, tc := range []struct {
		uri    string
		format schemas.ModelFormat
		want   schemas.Severity
	}{
		{"s3://b/model.pkl", schemas.FormatXGBoost, schemas.SeverityError},
		{"s3://b/MODEL.PKL", schemas.FormatXGBoost, schemas.SeverityError},
		{"s3://b/model.pkl/", schemas.FormatXGBoost, schemas.SeverityError},
		{"s3://b/model.pickle", schemas.FormatONNX, schemas.SeverityError},
		{"s3://b/model.joblib.gz", schemas.FormatONNX, schemas.SeverityError},
		{"gs://b/model.pkl.tar.gz", schemas.FormatTriton, schemas.SeverityError},
		{"pvc://claim/model.dill", schemas.FormatCustom, schemas.SeverityError},
		{"s3://b/model.pt", schemas.FormatTriton, schemas.SeverityError},
		{"s3://b/model.pth", schemas.FormatCustom, schemas.SeverityError},
		{"s3://b/model.mar", schemas.FormatTriton, schemas.SeverityError},
		{"s3://b/model.pkl?versionId=1", schemas.FormatTriton, schemas.SeverityError},
		{"s3://b/model.pkl#x", schemas.FormatTriton, schemas.SeverityError},
		{"s3://b/%zz/model.pkl", schemas.FormatTriton, schemas.SeverityError},
		{"s3://b/model.ckpt", schemas.FormatHuggingFace, schemas.SeverityError},
		{"s3://b/model.ckpt", schemas.FormatTensorFlow, ""},
		{"s3://b/pytorch_model.bin", schemas.FormatHuggingFace, schemas.SeverityError},
		{"s3://b/weights.bin", schemas.FormatCustom, schemas.SeverityWarning},
		{"s3://b/model.bin", schemas.FormatXGBoost, ""},
		{"s3://b/model.bst", schemas.FormatXGBoost, ""},
		{"s3://b/model.onnx", schemas.FormatONNX, ""},
		{"s3://b/model.pkl/model.onnx", schemas.FormatONNX, ""},
		{"s3://b/v1.2", schemas.FormatONNX, ""},
		{"s3://b", schemas.FormatONNX, ""},
		{"s3://b/.pkl", schemas.FormatONNX, schemas.SeverityError},
		{"oci://registry.example.com/model:v1.bin", schemas.FormatHuggingFace, ""},
		{"hf://org/model.pt", schemas.FormatHuggingFace, ""},
		{"", schemas.FormatONNX, ""},
	} {
		if got := severity(check(refusing, model(tc.format, tc.uri)), "spec.model.uri"); tc.uri != "" && got != tc.want {
			t.Errorf("%s as %s: %q, want %q", tc.uri, tc.format, got, tc.want)
		}
	}
}

func TestATemplateOfTheEnvironmentIsJudgedLikeAURI(t *testing.T) {
	findings := Check(refusing, model(schemas.FormatXGBoost, ""), "s3://bucket/m/v1/model.pkl")
	if severity(findings, "spec.model") != schemas.SeverityError {
		t.Errorf("%+v", findings)
	}
}

func TestAPathThatClimbsIsRefusedEverywhere(t *testing.T) {
	for uri, refused := range map[string]bool{
		"s3://bucket/../other/model": true, "pvc://claim/a/../../b": true, "s3://b/%2e%2E/x": true, "s3://b/..": true,
		"s3://b//phi": true, "s3://b/./phi": true, "pvc://claim/%2E/a": true, "s3://b/phi//": true, "s3://b/phi/": false, "s3://b": false,
		"s3://bucket/a..b/model": false, "s3://bucket/.../model": false,
	} {
		for _, env := range []schemas.EnvironmentSpec{{}, refusing} {
			findings := check(env, model(schemas.FormatONNX, uri))
			got := slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.Code == CodeURI })
			if got != refused {
				t.Errorf("%s: refused %t", uri, got)
			}
		}
	}
}

func TestNoSwitchBringsPickleBack(t *testing.T) {
	value := "x"
	for name := range switches {
		d := model(schemas.FormatXGBoost, "s3://b/model.bst")
		d.Spec.Serving.Env = []schemas.EnvVar{{Name: "A", Value: &value}, {Name: name, Value: &value}}
		d.Spec.Serving.Transformer = &schemas.Component{Env: []schemas.EnvVar{{Name: name, Value: &value}}}
		findings := check(refusing, d)
		for _, field := range []string{"spec.serving.env[1].name", "spec.serving.transformer.env[0].name"} {
			if severity(findings, field) != schemas.SeverityError {
				t.Errorf("%s at %s: %+v", name, field, findings)
			}
		}
		if len(check(allowing, d)) > 0 {
			t.Errorf("%s is refused where pickle is allowed", name)
		}
	}
}

func FuzzNoURIBreaksTheCheck(f *testing.F) {
	for _, uri := range []string{"s3://b/m.pkl", "s3://%zz", "://", "s3://b/.gz.gz", "pvc://c/..", "s3://[::1"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		for _, finding := range Check(refusing, model(schemas.FormatONNX, uri), uri) {
			if strings.Contains(finding.Message, "\n") || finding.Remedy == "" {
				t.Errorf("%q: %+v", uri, finding)
			}
		}
	})
}

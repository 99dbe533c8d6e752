package artifact

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings.
const (
	// CodePickle: the artefact is of the pickle family, or may be.
	CodePickle = "pickle"
	// CodeURI: the artefact's URI leads out of its own folder.
	CodeURI = "artifact-uri"
)

// Check judges the artefact at a URI, as it is resolved from the manifest or the
// environment's template; empty where it cannot be resolved.
func Check(env schemas.EnvironmentSpec, d schemas.ModelDeployment, uri string) []policy.Finding {
	findings := checkPath(d, uri)
	if !env.RefusesPickle() {
		return findings
	}
	findings = append(findings, checkFormat(d.Spec.Model.Format)...)
	findings = append(findings, checkExtension(d, uri)...)
	return append(findings, checkSwitches(d)...)
}

// checkPath refuses a path that climbs: what is fetched would not be where
// reviewers read that it is.
func checkPath(d schemas.ModelDeployment, uri string) []policy.Finding {
	_, rest, found := strings.Cut(uri, "://")
	astray := func(s string) bool {
		s = strings.ReplaceAll(strings.ToLower(s), "%2e", ".")
		return s == "" || s == "." || s == ".."
	}
	if !found || !slices.ContainsFunc(strings.Split(strings.TrimSuffix(rest, "/"), "/"), astray) {
		return nil
	}
	return []policy.Finding{{
		Severity: schemas.SeverityError, Code: CodeURI, Field: uriField(d),
		Message: `the artefact's URI has an empty segment, "." or "..", so it leads elsewhere than it reads`,
		Remedy:  "write the path that is meant",
	}}
}

func uriField(d schemas.ModelDeployment) string {
	if d.Spec.Model.URI == "" {
		return "spec.model"
	}
	return "spec.model.uri"
}

// loading is what a format's servers do with an artefact.
type loading struct {
	severity schemas.Severity
	// why names who loads it and what decides.
	why, remedy string
}

const nativeRemedy = "export the model to a format that holds data only, such as onnx, xgboost, lightgbm or tensorflow, and deploy that"

// loadings has the formats whose servers unpickle, or may. The others do not:
// xgboost reads .bst, .json, .ubj (python/xgbserver/xgbserver/model.py), lightgbm
// .bst (python/lgbserver/lgbserver/model.py), both by their own libraries; onnx,
// tensorflow, triton, pmml and paddle are read by servers that are not Python, or
// from protocol buffers. Paths are of github.com/kserve/kserve v0.20.0.
var loadings = map[schemas.ModelFormat]loading{
	// python/sklearnserver/sklearnserver/model.py: MODEL_EXTENSIONS .joblib, .pkl,
	// .pickle, all read by joblib.load. MLServer does the same
	// (runtimes/sklearn/mlserver_sklearn/sklearn.py). Neither reads skops.
	schemas.FormatSKLearn: {schemas.SeverityError,
		"the servers of format sklearn load .joblib, .pkl and .pickle files by joblib.load, which is pickle; they do not read skops files",
		"export the model to ONNX (skl2onnx) and write format: onnx, or serve a skops file from a container of your own (format: custom)"},
	// A .mar holds weights written by torch.save, which is pickle, and a handler
	// in Python: https://docs.pytorch.org/serve/ and
	// https://docs.pytorch.org/docs/stable/generated/torch.load.html
	schemas.FormatPyTorch: {schemas.SeverityError,
		"TorchServe loads .mar archives: weights written by torch.save (.pt, .pth), which is pickle, and a handler in Python",
		"export the model to ONNX (torch.onnx.export) and write format: onnx, or serve TorchScript from a model repository with format: triton"},
	// MLServer calls mlflow.pyfunc.load_model; the artefact's MLmodel file names the
	// loader, and python_function models are cloudpickle:
	// https://mlflow.org/docs/latest/ml/model/python_model
	schemas.FormatMLflow: {schemas.SeverityError,
		"MLServer loads the flavour python_function, and the MLmodel file inside the artefact decides by what: python_model and most sklearn models are pickle",
		"deploy the native file inside the artefact by its own format: onnx, xgboost, lightgbm or tensorflow"},
	// transformers and vLLM prefer *.safetensors and fall back to *.bin, which is
	// torch.save: https://huggingface.co/docs/safetensors and
	// https://docs.vllm.ai (--load-format auto).
	schemas.FormatHuggingFace: {schemas.SeverityWarning, weightsWhy, weightsRemedy},
	schemas.FormatVLLM:        {schemas.SeverityWarning, weightsWhy, weightsRemedy},
	schemas.FormatCustom: {schemas.SeverityWarning,
		"the container decides by what it loads its model, which cannot be seen from here",
		"load a format that holds data only, and let a reviewer confirm it"},
}

const (
	weightsWhy    = "the files in the repository decide: *.safetensors hold data only, and where there are none *.bin files are loaded, which are pickle"
	weightsRemedy = "make sure that the repository holds safetensors"
)

func checkFormat(format schemas.ModelFormat) []policy.Finding {
	l, ok := loadings[format]
	if !ok {
		return nil
	}
	verb := "is refused here"
	if l.severity == schemas.SeverityWarning {
		verb = "may be loaded by pickle, which is refused here"
	}
	return []policy.Finding{{
		Severity: l.severity, Code: CodePickle, Field: "spec.model.format",
		Message: fmt.Sprintf("an artefact of format %s %s: %s", format, verb, l.why), Remedy: l.remedy,
	}}
}

// extensions of files that are unpickled, whatever loads them.
var extensions = []string{
	".pkl", ".pickle", ".p", ".joblib", ".jbl", ".dill", ".cloudpickle", ".cpkl", // Python's and joblib's
	".pt", ".pth", ".mar", // torch.save and TorchServe's archive of it
}

// ambiguous extensions are pickle unless the format has another use of them:
// TensorFlow's checkpoints are .ckpt too, and .bin is a name for anything.
var ambiguous = map[string][]schemas.ModelFormat{
	".ckpt": {schemas.FormatTensorFlow, schemas.FormatTriton},
	".bin": {schemas.FormatXGBoost, schemas.FormatLightGBM, schemas.FormatTensorFlow, schemas.FormatONNX,
		schemas.FormatTriton, schemas.FormatPMML, schemas.FormatPaddle},
}

// wrappings are compressions and archives that are undone before loading.
var wrappings = []string{".gz", ".bz2", ".xz", ".lzma", ".lz4", ".z", ".zip", ".tar", ".tgz"}

func checkExtension(d schemas.ModelDeployment, uri string) []policy.Finding {
	ext := extension(uri)
	others, unsure := ambiguous[ext]
	if !unsure && !slices.Contains(extensions, ext) || slices.Contains(others, d.Spec.Model.Format) {
		return nil
	}
	severity, says := schemas.SeverityError, "is"
	if unsure && d.Spec.Model.Format == schemas.FormatCustom {
		severity, says = schemas.SeverityWarning, "may be"
	}
	return []policy.Finding{{
		Severity: severity, Code: CodePickle, Field: uriField(d),
		Message: fmt.Sprintf("the artefact's URI ends in %s, which %s a pickle file: loading it runs the code in it, and the environment refuses that", ext, says),
		Remedy:  nativeRemedy,
	}}
}

// extension of the file that a URI names, in lower case, beneath compressions.
// An image (oci) and a repository of Hugging Face are no files: a dot in their
// names, tags and revisions says nothing.
func extension(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	if scheme == "oci" || scheme == "hf" {
		return ""
	}
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	name := strings.ToLower(path.Base(rest))
	for {
		ext := path.Ext(name)
		if !slices.Contains(wrappings, ext) {
			return ext
		}
		name = strings.TrimSuffix(name, ext)
	}
}

// switches are environment variables by which pickle comes back through a server
// that would not use it.
var switches = map[string]string{
	// The class that MLServer loads: https://mlserver.readthedocs.io, model settings.
	"MLSERVER_MODEL_IMPLEMENTATION": "it chooses by which Python class MLServer loads the artefact, whatever the format says",
	// https://docs.pytorch.org/docs/stable/notes/serialization.html
	"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "it makes torch.load unpickle whatever it is given",
	// https://docs.vllm.ai, environment variables
	"VLLM_ALLOW_INSECURE_SERIALIZATION": "it allows vLLM to use pickle",
}

func checkSwitches(d schemas.ModelDeployment) []policy.Finding {
	var findings []policy.Finding
	for field, env := range d.Spec.Serving.EnvLists() {
		for i, e := range env {
			if why := switches[e.Name]; why != "" {
				findings = append(findings, policy.Finding{
					Severity: schemas.SeverityError, Code: CodePickle, Field: fmt.Sprintf("%s[%d].name", field, i),
					Message: fmt.Sprintf("%s is refused where pickle is: %s", e.Name, why), Remedy: "take it out",
				})
			}
		}
	}
	return findings
}

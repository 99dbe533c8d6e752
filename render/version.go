package render

import (
	"fmt"
	"strconv"
	"strings"
)

// kserveVersion is a KServe release, such as 0.20.
type kserveVersion struct{ major, minor int }

// The releases in which something that we render first worked. Each was read
// from KServe's source at that release or the last one before it.
var (
	// The Hugging Face runtime ships, with vLLM as a backend.
	kserveHuggingFace = kserveVersion{0, 13}
	// The autoscaler class "none" and predictor.deploymentStrategy are accepted.
	// Before, the webhook refuses any class but hpa (and, later, external).
	kserveFixedReplicas = kserveVersion{0, 15}
	// The modes are called Standard and Knative. Before, RawDeployment and Serverless.
	kserveNewModeNames = kserveVersion{0, 16}
)

func parseKServeVersion(s string) (kserveVersion, error) {
	major, minor, dotted := strings.Cut(s, ".")
	// A patch release changes none of the fields that are rendered.
	minor, _, _ = strings.Cut(minor, ".")
	a, errMajor := strconv.Atoi(major)
	b, errMinor := strconv.Atoi(minor)
	if !dotted || errMajor != nil || errMinor != nil || a < 0 || b < 0 {
		return kserveVersion{}, fmt.Errorf(`kserve.version %q is not "major.minor", such as "0.20"`, s)
	}
	return kserveVersion{a, b}, nil
}

func (v kserveVersion) atLeast(other kserveVersion) bool {
	return v.major > other.major || v.major == other.major && v.minor >= other.minor
}

func (v kserveVersion) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

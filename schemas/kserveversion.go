package schemas

import (
	"fmt"
	"strconv"
	"strings"
)

// KServeVersion is a minor release of KServe, such as 0.20.
type KServeVersion struct{ Major, Minor int }

// ParseKServeVersion reads "major.minor"; a patch release after it is ignored,
// because it changes none of the fields that are rendered.
func ParseKServeVersion(s string) (KServeVersion, error) {
	major, minor, dotted := strings.Cut(s, ".")
	minor, _, _ = strings.Cut(minor, ".")
	a, errMajor := strconv.Atoi(major)
	b, errMinor := strconv.Atoi(minor)
	if !dotted || errMajor != nil || errMinor != nil || a < 0 || b < 0 {
		return KServeVersion{}, fmt.Errorf(`kserve.version %q is not "major.minor", such as "0.20"`, s)
	}
	return KServeVersion{a, b}, nil
}

// AtLeast reports whether the release is other or a later one.
func (v KServeVersion) AtLeast(other KServeVersion) bool {
	return v.Major > other.Major || v.Major == other.Major && v.Minor >= other.Minor
}

// String is "major.minor".
func (v KServeVersion) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// The releases in which something first worked. Each was read from KServe's
// source at that release and the last one before it.
var (
	// The Hugging Face runtime takes vLLM as a backend.
	KServeHuggingFace = KServeVersion{0, 13}
	// The autoscaler class "external" is accepted.
	KServeExternalScaling = KServeVersion{0, 12}
	// The autoscaler classes "none" and "keda", predictor.autoScaling and
	// predictor.deploymentStrategy are accepted.
	KServeAutoscaling = KServeVersion{0, 15}
	// Artefacts on a volume are mounted by default, and no longer copied.
	KServeMountsVolumes = KServeVersion{0, 12}
	// The Hugging Face runtime has an image for GPUs of its own.
	kserveHuggingFaceGPU = KServeVersion{0, 15}
	// Slices of a GPU (nvidia.com/mig-…) count as a GPU where the image is chosen.
	kserveSliceImages = KServeVersion{0, 16}
	// An InferenceGraph takes tolerations and a service account.
	KServeGraph = KServeVersion{0, 15}
	// The modes are called Standard and Knative. Before, RawDeployment and Serverless.
	KServeModeNames = KServeVersion{0, 16}
	// TorchServe speaks version 2 of the gRPC protocol, and no longer version 1.
	kserveTorchServeV2 = KServeVersion{0, 12}
	// The logger passes on an answer's headers and trailers, of which gRPC needs both.
	kserveLogsGRPC = KServeVersion{0, 14}
	// The oldest release that is supported.
	firstKServe = KServeVersion{0, oldestKServe}
)

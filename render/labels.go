package render

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

const maxLabelValue = 63

// labelHash is how much of a value's hash stands in for what a label cannot say.
const labelHash = 8

// tenancyLabels are on every object. The commit is neither among them nor among
// the annotations: the receipt has it (docs/adr/0012-the-commit-is-on-the-receipt.md).
func tenancyLabels(repository string, team *schemas.Team, environment string) map[string]string {
	return map[string]string{
		schemas.LabelManagedBy:   schemas.ManagedByMooring,
		schemas.LabelRepository:  labelValue(repository),
		schemas.LabelTeam:        labelValue(team.Metadata.Name),
		schemas.LabelEnvironment: labelValue(environment),
		schemas.LabelCostCenter:  labelValue(team.Spec.CostCenter),
	}
}

// modelLabels are on every object of a model. KServe copies those of the
// InferenceService to the pods, where cost reports read them.
func modelLabels(in ModelInput) map[string]string {
	labels := tenancyLabels(in.Repository, in.Team, in.Environment.Metadata.Name)
	labels[schemas.LabelModel] = labelValue(in.Deployment.Metadata.Name)
	labels[schemas.LabelVersion] = labelValue(in.Version)
	labels[schemas.LabelRisk] = labelValue(string(in.Level))
	return labels
}

// labelValue makes a text fit for a label. A text that has to be altered ends in
// a hash of the original, so that two texts do not meet in one label.
func labelValue(s string) string {
	if isLabelValue(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	suffix := hex.EncodeToString(sum[:])[:labelHash]
	kept := strings.Map(func(c rune) rune {
		if c < 0x80 && (alphanumeric(byte(c)) || c == '-' || c == '_' || c == '.') {
			return c
		}
		return '-'
	}, s)
	kept = kept[:min(len(kept), maxLabelValue-labelHash-1)]
	if kept = strings.Trim(kept, "-_."); kept == "" {
		return suffix
	}
	return kept + "-" + suffix
}

// isLabelValue is Kubernetes' rule: at most 63 of [A-Za-z0-9._-], beginning and
// ending in a letter or digit; or nothing.
func isLabelValue(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > maxLabelValue || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

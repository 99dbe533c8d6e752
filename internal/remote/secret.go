package remote

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

// secret is what a ModelRepository's Secret holds, and how errors name it: by its
// name and its keys. They never tell a value.
type secret struct {
	name string // NAMESPACE/NAME; empty where the object names none
	data map[string][]byte
}

func secretOf(repo *schemas.ModelRepository, data map[string][]byte) secret {
	s := secret{data: data}
	if repo.Spec.SecretRef != nil {
		s.name = repo.Namespace + "/" + repo.Spec.SecretRef.Name
	}
	return s
}

// has reports whether there is something under a key.
func (s secret) has(key string) bool { return len(s.data[key]) > 0 }

// wrong says what the Secret has or lacks, what there is, and what to do.
func (s secret) wrong(remedy, has string, args ...any) error {
	if s.name == "" {
		return fmt.Errorf("spec.secretRef names no Secret, and GitHub needs a credential; make one with %q, or with %s, and name it there",
			KeyToken, quoted([]string{KeyAppID, KeyInstallationID, KeyPrivateKey}, " and "))
	}
	return fmt.Errorf("the Secret %q has %s (%s); %s", s.name, fmt.Sprintf(has, args...), s.keys(), remedy)
}

// keys are those that there are, and which of them are empty.
func (s secret) keys() string {
	var there []string
	for _, key := range slices.Sorted(maps.Keys(s.data)) {
		text := strconv.Quote(key)
		if !s.has(key) {
			text += " without a value"
		}
		there = append(there, text)
	}
	if len(there) == 0 {
		return "it is empty"
	}
	return "its keys are " + strings.Join(there, ", ")
}

// quoted lists keys, with a word before the last.
func quoted(keys []string, last string) string {
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = strconv.Quote(key)
	}
	if n := len(out) - 1; n > 0 {
		return strings.Join(out[:n], ", ") + last + out[n]
	}
	return out[0]
}

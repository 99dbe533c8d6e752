package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/mlops-platform/mooring/schemas"
)

// Prefix stands before the hex of every digest.
const Prefix = "sha256:"

// version opens the encoding. A different encoding needs a different version,
// because approvals that were given under the old one must not fit by chance.
const version = "mooring.change.v1"

// Identity says what is changed. Team, Model and Environment are empty for a
// platform file, whose path says all.
type Identity struct {
	Path        string
	Team        string
	Model       string
	Environment string
}

// Of is the digest of a change, "sha256:" and 64 lower-case hex digits. Before
// and after are Git blob ids, empty where that side is absent.
//
// What is hashed is eight netstrings, one after the other: the version of the
// encoding ("mooring.change.v1"), path, team, model, environment, before, after
// and level. A netstring is the length in bytes in decimal, a colon, the bytes,
// a comma; so no two lists of fields have the same encoding, whatever the
// fields contain.
func Of(id Identity, before, after string, level schemas.RiskLevel) string {
	var buf []byte
	for _, field := range []string{version, id.Path, id.Team, id.Model, id.Environment, before, after, string(level)} {
		buf = strconv.AppendInt(buf, int64(len(field)), 10)
		buf = append(buf, ':')
		buf = append(buf, field...)
		buf = append(buf, ',')
	}
	sum := sha256.Sum256(buf)
	return Prefix + hex.EncodeToString(sum[:])
}

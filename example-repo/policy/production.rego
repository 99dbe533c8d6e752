# What customers see is pinned, and is never alone.
package mooring

import rego.v1

in_production if input.manifest.spec.environment == "production"

deny contains {
	"code": "production-version",
	"path": "spec.model.alias",
	"msg": "production serves a pinned version; name spec.model.version instead of an alias",
} if {
	in_production
	input.manifest.spec.model.alias
}

warn contains {
	"code": "production-replicas",
	"path": "spec.serving.replicas.min",
	"msg": "one replica is an outage whenever its node is replaced; set spec.serving.replicas.min to 2 or more",
} if {
	in_production
	input.manifest.spec.serving.replicas.min < 2
}

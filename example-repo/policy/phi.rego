# Protected health information never runs on spot nodes or beside other data.
package mooring

import rego.v1

handles_phi if input.manifest.spec.governance.dataSensitivity == "phi"

capacity := object.get(input.manifest.spec.serving, "capacity", input.environment.spec.capacity)

deny contains {
	"code": "phi-on-demand",
	"path": "spec.serving.capacity",
	"msg": "a model that handles PHI runs on on-demand nodes only; set spec.serving.capacity: on-demand",
} if {
	handles_phi
	capacity == "spot"
}

deny contains {
	"code": "phi-hipaa",
	"path": "spec.governance.regulations",
	"msg": "a model that handles PHI falls under HIPAA; add hipaa to spec.governance.regulations",
} if {
	handles_phi
	not "hipaa" in input.manifest.spec.governance.regulations
}

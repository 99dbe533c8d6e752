# The controls that hold in every repository. Where the environment declares its
# controls (spec.controls), they fail a change; elsewhere they warn.
package mooring

import rego.v1

declared if input.environment.spec.controls

deny contains v if {
	declared
	some v in violations
}

warn contains v if {
	not declared
	some v in violations
}

phi if input.manifest.spec.governance.dataSensitivity == "phi"

capacity := object.get(input.manifest.spec.serving, "capacity", input.environment.spec.capacity)

violations contains {
	"code": "phi-on-demand",
	"path": "spec.serving.capacity",
	"msg": "a model that handles PHI runs on on-demand nodes only; set spec.serving.capacity: on-demand",
} if {
	phi
	capacity == "spot"
}

violations contains {
	"code": "phi-pool",
	"path": "spec.governance.dataSensitivity",
	"msg": "the environment has no pool that is for PHI alone (onlyFor: {dataSensitivity: [phi]}), so the model runs beside other data",
} if {
	phi
	not dedicated
}

dedicated if {
	some pool in input.environment.spec.pools
	pool.onlyFor.dataSensitivity == ["phi"]
}

# What is declared to be missing always fails; what nobody declares is a warning.
facts := {
	"encryptionAtRest": {"code": "phi-encryption", "what": "encryption at rest"},
	"auditLogging": {"code": "phi-audit", "what": "an audit log of access"},
}

deny contains {
	"code": fact.code,
	"path": "spec.environment",
	"msg": sprintf("a model that handles PHI needs %s, and the environment declares that it has none (spec.controls.%s)", [fact.what, name]),
} if {
	phi
	some name, fact in facts
	input.environment.spec.controls[name] == false
}

warn contains {
	"code": fact.code,
	"path": "spec.environment",
	"msg": sprintf("a model that handles PHI needs %s, and the environment does not declare it; set spec.controls.%s", [fact.what, name]),
} if {
	phi
	some name, fact in facts
	not name in object.keys(object.get(input.environment.spec, "controls", {}))
}

# Where digests are required they are checked already, tag or not.
violations contains {
	"code": "image-tag",
	"path": sprintf("spec.serving.%s.image", [part]),
	"msg": sprintf("the image of the %s names no tag, or latest: what runs would change without a review", [part]),
} if {
	input.environment.spec.images.digest != "required"
	some part in ["container", "transformer", "explainer"]
	image := input.manifest.spec.serving[part].image
	not contains(image, "@")
	floating(image)
}

floating(image) if endswith(image, ":latest")

floating(image) if {
	segments := split(image, "/")
	not contains(segments[count(segments) - 1], ":")
}

violations contains {
	"code": "limits",
	"path": "spec.serving.resources",
	"msg": sprintf("%s %s: a container has no limit of %s", [o.kind, o.metadata.name, resource]),
} if {
	some o in input.objects
	some c in containers(o)
	some resource in ["cpu", "memory"]
	not c.resources.limits[resource]
}

containers(o) := found if {
	specs := [spec | some part in ["predictor", "transformer", "explainer"]; spec := o.spec[part]]
	templates := [spec | spec := o.spec.template.spec]
	found := array.concat(
		[c | some spec in array.concat(specs, templates); some c in spec.containers],
		[c | some spec in specs; c := spec.model],
	)
}

violations contains {
	"code": "cost-center",
	"path": "spec.team",
	"msg": sprintf("%s %s has no label mlops-platform.com/cost-center, so nobody would pay for it", [o.kind, o.metadata.name]),
} if {
	some o in input.objects
	not o.metadata.labels["mlops-platform.com/cost-center"]
}

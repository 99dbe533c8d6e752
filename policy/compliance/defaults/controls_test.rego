package mooring

import rego.v1

environment(controls) := {"spec": object.union(
	{"capacity": "on-demand", "images": {"digest": "optional"}, "pools": [{"name": "phi", "onlyFor": {"dataSensitivity": ["phi"]}}]},
	controls,
)}

on := environment({"controls": {"encryptionAtRest": true, "auditLogging": true}})

off := environment({"controls": {"encryptionAtRest": false, "auditLogging": false}})

silent := environment({})

model(sensitivity, serving) := {"spec": {"governance": {"dataSensitivity": sensitivity}, "serving": serving}}

denied contains v.code if some v in deny

warned contains v.code if some v in warn

test_phi_with_every_control_passes if {
	count(deny) + count(warn) == 0 with input as {"manifest": model("phi", {}), "environment": on, "objects": []}
}

test_phi_on_spot_is_denied_where_controls_are_declared if {
	denied == {"phi-on-demand"} with input as {"manifest": model("phi", {"capacity": "spot"}), "environment": on, "objects": []}
}

test_phi_on_spot_is_warned_about_elsewhere if {
	warned == {"phi-on-demand", "phi-encryption", "phi-audit"} with input as {"manifest": model("phi", {"capacity": "spot"}), "environment": silent, "objects": []}
	count(deny) == 0 with input as {"manifest": model("phi", {"capacity": "spot"}), "environment": silent, "objects": []}
}

test_phi_without_encryption_and_audit_is_denied if {
	denied == {"phi-encryption", "phi-audit"} with input as {"manifest": model("phi", {}), "environment": off, "objects": []}
}

test_phi_beside_other_data_is_denied if {
	e := object.union(on, {"spec": {"pools": [{"name": "a"}]}})
	denied == {"phi-pool"} with input as {"manifest": model("phi", {}), "environment": e, "objects": []}
}

test_other_data_needs_none_of_it if {
	count(deny) + count(warn) == 0 with input as {"manifest": model("pii", {"capacity": "spot"}), "environment": off, "objects": []}
}

test_a_floating_image_is_denied if {
	every image in ["a/b", "a:5000/b", "a/b:latest"] {
		denied == {"image-tag"} with input as {"manifest": model("pii", {"container": {"image": image}}), "environment": on, "objects": []}
	}
}

test_a_pinned_image_passes if {
	every image in ["a/b:1", "a/b@sha256:0", "a:5000/b:1"] {
		count(deny) == 0 with input as {"manifest": model("pii", {"transformer": {"image": image}}), "environment": on, "objects": []}
	}
}

object_with(labels, limits) := {
	"kind": "InferenceService",
	"metadata": {"name": "a", "labels": labels},
	"spec": {"predictor": {"model": {"resources": {"limits": limits}}}},
}

test_limits_and_cost_centre_pass if {
	o := object_with({"mlops-platform.com/cost-center": "c"}, {"cpu": "1", "memory": "1Gi"})
	count(deny) == 0 with input as {"manifest": model("pii", {}), "environment": on, "objects": [o]}
}

test_no_limits_are_denied if {
	o := object_with({"mlops-platform.com/cost-center": "c"}, {"cpu": "1"})
	denied == {"limits"} with input as {"manifest": model("pii", {}), "environment": on, "objects": [o]}
}

test_no_cost_centre_is_denied if {
	o := object_with({}, {"cpu": "1", "memory": "1Gi"})
	denied == {"cost-center"} with input as {"manifest": model("pii", {}), "environment": on, "objects": [o]}
}

test_a_container_that_an_overlay_adds_counts if {
	o := {"kind": "Deployment", "metadata": {"name": "a", "labels": {"mlops-platform.com/cost-center": "c"}}, "spec": {"template": {"spec": {"containers": [{"name": "x"}]}}}}
	denied == {"limits"} with input as {"manifest": model("pii", {}), "environment": on, "objects": [o]}
}

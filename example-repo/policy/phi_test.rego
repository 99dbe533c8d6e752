package mooring

import rego.v1

phi_model(capacity, regulations) := {"spec": {
	"serving": {"capacity": capacity},
	"governance": {"dataSensitivity": "phi", "regulations": regulations},
}}

on_demand := {"spec": {"capacity": "on-demand"}}

codes contains d.code if some d in deny

test_phi_on_demand_with_hipaa_passes if {
	count(deny) == 0 with input as {"manifest": phi_model("on-demand", ["hipaa"]), "environment": on_demand}
}

test_phi_on_spot_is_denied if {
	codes == {"phi-on-demand"} with input as {"manifest": phi_model("spot", ["hipaa"]), "environment": on_demand}
}

test_phi_without_hipaa_is_denied if {
	codes == {"phi-hipaa"} with input as {"manifest": phi_model("on-demand", ["gdpr"]), "environment": on_demand}
}

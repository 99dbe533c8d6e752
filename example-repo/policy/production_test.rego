package mooring

import rego.v1

served(model, replicas) := {"spec": {
	"environment": "production",
	"model": model,
	"serving": {"replicas": {"min": replicas}},
	"governance": {"dataSensitivity": "internal", "regulations": []},
}}

test_a_pinned_version_passes if {
	count(deny) == 0 with input as {"manifest": served({"version": "3"}, 2)}
	count(warn) == 0 with input as {"manifest": served({"version": "3"}, 2)}
}

test_an_alias_is_denied if {
	codes == {"production-version"} with input as {"manifest": served({"alias": "champion"}, 2)}
}

test_one_replica_is_warned_about if {
	count(warn) == 1 with input as {"manifest": served({"version": "3"}, 1)}
}

package main

deny contains sprintf("%s is older than %s", [item.name, minimum]) if {
	some item in input.packages
	minimum := data.minimum[item.name]
	semver.is_valid(item.version)
	semver.compare(item.version, minimum) < 0
}

deny contains sprintf("%s has no version", [item.name]) if {
	some item in input.packages
	not semver.is_valid(item.version)
}

deny contains "layer too large" if units.parse_bytes(input.limit) < input.size

deny contains sprintf("%v %v %v %v", [units.parse_bytes("1MiB"), units.parse_bytes("1.5k"), units.parse("100m"), units.parse("2Ki")])

warn contains sprintf("%v", [[semver.compare("1.0.0-rc.1", "1.0.0"), semver.compare("1.10.0", "1.9.0"), semver.compare("1.0.0+a", "1.0.0+b")]])

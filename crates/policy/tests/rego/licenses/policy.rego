package main

denied_licenses := {"GPL-3.0-only", "AGPL-3.0-only"}

by_license[license] contains pkg.name if {
	some pkg in input.sbom.packages
	some license in pkg.licenses
}

deny contains msg if {
	some license in denied_licenses
	names := by_license[license]
	msg := sprintf("%s: %v", [license, names])
}

warn contains sprintf("%s has no license", [pkg.name]) if {
	some pkg in input.sbom.packages
	count(pkg.licenses) == 0
}

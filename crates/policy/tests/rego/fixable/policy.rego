package main

import rego.v1

deny contains {"msg": msg, "code": finding.id, "remedy": sprintf("upgrade to %s", [finding.package.fixed])} if {
	some finding in input.findings
	finding.package.fixed != ""
	finding.score >= 5
	msg := sprintf("%v: %v has a fix (score %v)", [finding.id, finding.package.name, finding.score])
}

warn contains sprintf("%s has no fix", [finding.id]) if {
	some finding in input.findings
	object.get(finding.package, "fixed", "") == ""
}

package main

blocked := {"CRITICAL", "HIGH"}

deny contains msg if {
	some finding in input.findings
	finding.severity in blocked
	msg := sprintf("%s in %s is %s", [finding.id, finding.package.name, lower(finding.severity)])
}

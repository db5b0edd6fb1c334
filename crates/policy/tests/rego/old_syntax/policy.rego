package main

blocked = {"CRITICAL", "HIGH"}

deny[msg] {
	finding := input.findings[_]
	blocked[finding.severity]
	not ignored(finding)
	msg = sprintf("%s: %s", [finding.id, finding.package.name])
}

ignored(finding) {
	finding.package.fixed == ""
}

warn[{"msg": msg}] {
	count(input.findings) > 3
	msg := "many findings"
}

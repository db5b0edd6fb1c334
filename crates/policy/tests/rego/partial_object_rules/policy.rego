package main

severity_of[id] := severity if {
	some finding in input.findings
	id := finding.id
	severity := finding.severity
}

packages[name] contains id if {
	some finding in input.findings
	id := finding.id
	some name in finding.packages
}

deny contains sprintf("%s has %d: %s", [name, count(ids), concat(" ", sort([id | some id in ids]))]) if {
	some name, ids in packages
	count(ids) > 1
}

deny contains sprintf("%s", [id]) if severity_of[id] == "CRITICAL"

limits["CRITICAL"] := 0

limits["HIGH"] := 2

deny contains sprintf("too many %s", [severity]) if {
	some severity, limit in limits
	count([1 | severity_of[_] == severity]) > limit
}

package main

worst[name] := max(scores) if {
	some name in {finding.package.name | some finding in input.findings}
	scores := [finding.score | some finding in input.findings; finding.package.name == name]
}

deny contains sprintf("%s %v", [name, score]) if {
	some name, score in worst
	score > 7
}

ids[i] := finding.id if some i, finding in input.findings

warn contains ids[0]

package main

scores := [finding.score | some finding in input.findings]

counts := {severity: n |
	some severity in {finding.severity | some finding in input.findings}
	n := count([1 | some finding in input.findings; finding.severity == severity])
}

deny contains sprintf("max %v, min %v, %d at least 5, %v", [max(scores), min(scores), sum([1 | some score in scores; score >= 5]), counts]) if sum(scores) > 20

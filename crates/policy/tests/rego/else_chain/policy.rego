package main

grade(score) := "severe" if {
	score >= 9
} else := "bad" if {
	score >= 7
} else := "fair"

deny contains sprintf("%s: %s", [finding.id, grade(finding.score)]) if {
	some finding in input.findings
	grade(finding.score) != "fair"
}

package main

deny contains "upper" if {
	some finding in input.findings
	upper(finding.score) == "X"
}

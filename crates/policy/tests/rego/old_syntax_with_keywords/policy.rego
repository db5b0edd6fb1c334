package main

import future.keywords.in
import future.keywords.if
import future.keywords.contains

deny contains msg if {
	some finding in input.findings
	finding.severity in {"LOW"}
	msg := finding.id
}

deny[msg] {
	msg := sprintf("%d findings", [count(input.findings)])
}

package main

import data.advisories as known

deny contains msg if {
	some finding in input.findings
	ids := {finding.id} | {alias | some alias in object.get(finding, "aliases", [])}
	hits := ids & {id | some id in known.exploited}
	count(hits) > 0
	msg := sprintf("%s is exploited (%s)", [finding.id, concat(", ", hits)])
}

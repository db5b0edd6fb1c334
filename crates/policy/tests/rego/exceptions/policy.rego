package main

import data.exceptions

deny contains finding.id if {
	some finding in input.findings
	not excepted(finding)
}

excepted(finding) if {
	some exception in exceptions.list
	exception.id == finding.id
	time.parse_rfc3339_ns(exception.until) > time.now_ns()
}

excepted(finding) if finding.severity in exceptions.severities

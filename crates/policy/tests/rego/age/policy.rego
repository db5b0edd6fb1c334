package main

day := (24 * 60) * (60 * 1000000000)

age_days(finding) := floor((time.now_ns() - time.parse_rfc3339_ns(finding.published)) / day)

allowed_days := {"CRITICAL": 7, "HIGH": 30, "MEDIUM": 90}

deny contains msg if {
	some finding in input.findings
	limit := allowed_days[finding.severity]
	age := age_days(finding)
	age > limit
	msg := sprintf("%s is %d days old, %d more than allowed", [finding.id, age, age - limit])
}

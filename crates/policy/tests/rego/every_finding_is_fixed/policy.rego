package main

all_fixed if {
	every finding in input.findings { finding.package.fixed != "" }
}

deny contains "not everything is fixed" if not all_fixed

deny contains "an id is no CVE" if {
	not every_cve
}

every_cve if {
	every _, finding in input.findings {
		startswith(finding.id, "CVE-")
	}
}

package main

deny contains msg if {
	some report in input.manifests[_].reports
	some finding in report.scan.present.value.findings
	finding.severity == "CRITICAL"
	msg := sprintf("%s", [finding.id])
}

deny contains {"msg": msg, "code": "FIX"} if {
	some manifest in input.manifests
	some report in manifest.reports
	some finding in report.scan.present.value.findings
	some item in finding.packages
	fixed := item.fix["in"]
	msg := sprintf("%s: %s %s is mended in %s", [finding.id, item.name, item.version, fixed])
}

warn contains sprintf("%d of %d findings have no fix", [count(unfixed), count(all)]) if count(unfixed) > 0

all := {finding.id | some finding in input.manifests[_].reports[_].scan.present.value.findings}

unfixed contains finding.id if {
	some finding in input.manifests[_].reports[_].scan.present.value.findings
	every item in finding.packages {
		item.fix == "none"
	}
}

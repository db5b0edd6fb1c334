package main

deny contains msg if {
	some report in input.manifests[_].reports
	some finding in report.scan.present.value.findings
	finding.severity == "CRITICAL"
	msg := sprintf("%s (%s)", [finding.id, report.scanner])
}

warn contains sprintf("%s/%d has no scan", [manifest.platform, i]) if {
	some manifest in input.manifests
	some i, report in manifest.reports
	not report.scan.present
}

deny contains sprintf("%s", [name]) if name := input.manifests[_].reports[_].scan.present.value.findings[_].packages[_].name

package main

deny contains sprintf("%s by %s: %s", [state, report.scanner, why.code]) if {
	some report in input.manifests[_].reports
	some state, why in report.scan
	state != "present"
}

deny contains "no scan" if not any_scan

any_scan if input.manifests[_].reports[_].scan.present

warn contains sprintf("%s is %s", [part, state]) if {
	some manifest in input.manifests
	some part in ["config", "contents", "sboms"]
	some state, _ in manifest[part]
	state != "present"
}

package main

hour := 60 * 60 * 1000000000

now := time.parse_rfc3339_ns(input.at)

deny contains sprintf("the data of %s are %d seconds old", [report.scanner, seconds]) if {
	some report in input.manifests[_].reports
	seconds := (now - time.parse_rfc3339_ns(report.scan.present.value.databaseAt)) / 1000000000
	seconds >= 60
}

deny contains "built today" if {
	some manifest in input.manifests
	time.now_ns() - time.parse_rfc3339_ns(manifest.config.present.value.created) < 24 * hour
}

warn contains "same clock" if time.now_ns() == now

package main

import data.allowed.registries
import data.allowed.vulnerabilities as accepted

deny contains sprintf("%s is not allowed", [input.image.host]) if not input.image.host in registries

deny contains sprintf("%s was accepted until %s", [finding.id, entry.until]) if {
	some finding in input.manifests[_].reports[_].scan.present.value.findings
	some entry in accepted
	entry.id == finding.id
	time.parse_rfc3339_ns(entry.until) <= time.parse_rfc3339_ns(input.at)
}

deny contains finding.id if {
	some finding in input.manifests[_].reports[_].scan.present.value.findings
	finding.cvssTenths >= 70
	not is_accepted(finding.id)
}

is_accepted(id) if {
	some entry in accepted
	entry.id == id
	time.parse_rfc3339_ns(entry.until) > time.parse_rfc3339_ns(input.at)
}

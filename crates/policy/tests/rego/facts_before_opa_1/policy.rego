package main

blocking = {"CRITICAL", "HIGH"}

findings[finding] {
	finding := input.manifests[_].reports[_].scan.present.value.findings[_]
}

deny[msg] {
	finding := findings[_]
	blocking[finding.severity]
	msg := sprintf("%v (%v) in %v", [finding.id, finding.severity, concat(", ", [p.name | p := finding.packages[_]])])
}

violation[{"msg": msg, "details": {"tag": input.image.tag}}] {
	input.image.tag == "latest"
	msg := sprintf("image %v uses a tag that moves", [input.image.reference])
}

warn[msg] {
	count(findings) > 2
	msg := sprintf("%v findings", [count(findings)])
}

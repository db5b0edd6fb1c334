package main

import rego.v1

import data.lib.images
import data.lib.severity as sev
import data.settings
import input.image as picture

deny contains msg if {
	some finding in input.findings
	sev.severe(finding)
	msg := sprintf("%s in %s", [finding.id, images.short(picture)])
}

deny contains "registry" if not images.registry(picture) in settings.registries

warn contains sprintf("%v", [sev.order])

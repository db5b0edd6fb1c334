# The ten rules of policy.yaml over the same facts, as one writes them in Rego: each looks at the findings, components and packages once,
# by sets and comprehensions that OPA keeps for the whole query. Less is asked than there, never more: a licence is compared as a text
# where the gate reads expressions, and a package by the head of its package URL.
package gate

now := time.parse_rfc3339_ns(input.at)

older(moment, hours) if now - time.parse_rfc3339_ns(moment) > ((hours * 3600) * 1000) * 1000000

# --- vulnerabilities ---------------------------------------------------------------------------------------------------

scans := [scan |
	some manifest in input.manifests
	some report in manifest.reports
	report.origin.kind == "ecr"
	scan := report.scan.present.value
	not older(scan.databaseAt, 48)
]

findings := [finding |
	some scan in scans
	some finding in scan.findings
]

limits := {"CRITICAL": 0, "HIGH": 20, "MEDIUM": 200}

found[severity] := [finding | some finding in findings; finding.severity == severity] if some severity, _ in limits

named(rule, finding) := sprintf("%s: %s %s", [rule, finding.id, finding.packages[0].name])

deny contains "no-serious-vulnerabilities: no scan" if count(scans) == 0

deny contains named("no-serious-vulnerabilities", finding) if {
	some severity, limit in limits
	count(found[severity]) > limit
	some finding in found[severity]
}

deny contains "nothing-exploited: no scan" if count(scans) == 0

deny contains named("nothing-exploited", finding) if {
	some finding in findings
	blocks(finding)
}

blocks(finding) if finding.exploitAvailable

blocks(finding) if finding.cvssTenths >= 98

blocks(finding) if finding.epssMillionths >= 600000

blocks(finding) if finding.id in {"CVE-2021-44228", "CVE-2024-3094"}

# --- signatures and statements -----------------------------------------------------------------------------------------

signer(proof) := name if {
	proof.signer.kind == "key"
	some name in ["release", "security", "ci"]
	input.trust.keys[concat("/", ["ten-rules", name])].ok == proof.signer.key
}

signed_by contains name if {
	some manifest in input.manifests
	some artifact in manifest.signed.present.value
	signed := artifact.verified.ok
	signed.content.image.digest == manifest.digest
	name := signer(signed.proof)
}

deny contains "signed-by-two" if count(signed_by) < 2

tested if {
	some manifest in input.manifests
	some artifact in manifest.signed.present.value
	signed := artifact.verified.ok
	signed.content.statement.predicateType == "https://in-toto.io/attestation/test-result/v0.1"
	signer(signed.proof) == "ci"
	signed.content.statement.predicate.result == "PASSED"
	signed.content.statement.predicate.coverage >= 80
}

deny contains "tested" if not tested

# --- the bill of materials ---------------------------------------------------------------------------------------------

boms := [bom |
	some manifest in input.manifests
	some document in manifest.sboms.present.value
	document.origin.kind == "file"
	bom := document.value
	manifest.digest in bom.describes
]

components := [component |
	some bom in boms
	some component in bom.components
]

deny contains "parts-list: none" if count(boms) == 0

denied_packages := {"pkg:npm/event-stream", "pkg:pypi/ctx"}

denied_versions := {"pkg:npm/flatmap-stream@0.1.1"}

denied_licenses := {"AGPL-3.0-only", "SSPL-1.0"}

deny contains sprintf("parts-list: %s", [component.purl]) if {
	some component in components
	split(component.purl, "@")[0] in denied_packages
}

deny contains sprintf("parts-list: %s", [component.purl]) if {
	some component in components
	component.purl in denied_versions
}

deny contains sprintf("parts-list: %s (%s %s)", [license, component.name, component.version]) if {
	some component in components
	some license in component.licenses
	license in denied_licenses
}

# --- configuration, age, packages, registry, measurements --------------------------------------------------------------

config := input.manifests[0].config.present.value

runs_safely if {
	regex.match(`^[0-9]+(:.*)?$`, config.user)
	user := to_number(split(config.user, ":")[0])
	user >= 1000
	user <= 65534
	config.labels["org.opencontainers.image.revision"] != ""
	config.labels["org.opencontainers.image.source"] != ""
	count(config.secrets) == 0
	count(config.layers) <= 30
	sum([layer.sizeBytes | some layer in config.layers]) <= 524288000
}

deny contains "how-it-runs" if not runs_safely

deny contains "not-stale" if older(config.created, 90 * 24)

installed := {entry.name |
	some entry in input.manifests[0].contents.present.value.packages
	entry.kind == "deb"
}

deny contains sprintf("packages: %s", [name]) if {
	some name in {"telnet", "netcat-traditional"}
	name in installed
}

deny contains "packages: ca-certificates" if not "ca-certificates" in installed

from_our_registry if {
	glob.match("123456789012.dkr.ecr.*.amazonaws.com/**", ["/"], input.image.name)
	input.image.tag != "latest"
}

deny contains "from-our-registry" if not from_our_registry

measured := [run.value |
	some run in input.manifests[0].measurements.present.value
	run.origin.kind == "file"
	run.value.metric == "memory_peak_bytes"
	run.value.subject == input.manifests[0].digest
]

deny contains "memory: none" if count(measured) == 0

deny contains "memory" if {
	some run in measured
	some sample in run.samples
	units.parse_bytes(sample) > 536870912
}

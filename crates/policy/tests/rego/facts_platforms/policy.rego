package main

ids[platform] := {finding.id | some finding in manifest.reports[_].scan.present.value.findings} if {
	some manifest in input.manifests
	platform := manifest.platform
}

deny contains sprintf("%s alone has %s", [platform, id]) if {
	some platform, found in ids
	some id in found
	every other, theirs in ids {
		any([other == platform, not_in(id, theirs)])
	}
}

any(list) if list[_] == true

not_in(id, found) if not id in found

not_in(id, found) := false if id in found

warn contains sprintf("%d platforms, all: %v", [count(ids), intersection({found | found := ids[_]})])

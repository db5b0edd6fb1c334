package main

deny contains "a release candidate" if {
	semver.is_valid(input.image.tag)
	semver.compare(input.image.tag, "1.4.2") < 0
	contains(input.image.tag, "-rc")
}

deny contains "latest" if input.image.tag == "latest"

warn contains sprintf("%s|%s|%s", [upper(trim_prefix(input.image.tag, "1.")), trim(input.image.tag, "1"), replace(input.image.tag, ".", "_")])

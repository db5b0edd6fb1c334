package main

required := ["org.opencontainers.image.source", "org.opencontainers.image.revision", "maintainer"]

missing := {label | some label in required; not input.config.labels[label]}

deny contains sprintf("labels are missing: %s", [concat(", ", sort(missing))]) if count(missing) > 0

warn_source contains "the source is not on our server" if {
	not startswith(input.config.labels["org.opencontainers.image.source"], "https://git.example.com/")
}

package main

configs := [config | config := input.manifests[_].config.present.value]

deny_root contains "runs as root" if {
	some config in configs
	config.user in {"", "0", "root"}
}

deny_ports contains sprintf("port %s is not allowed", [port]) if {
	some port in configs[_].ports
	not port in {"8080/tcp", "8443/tcp"}
}

deny_labels contains sprintf("labels missing: %s", [concat(", ", sort(missing))]) if {
	some config in configs
	missing := {"team", "owner", "org.opencontainers.image.source"} - object.keys(config.labels)
	count(missing) > 0
}

deny_secrets contains sprintf("%s looks like a secret", [name]) if {
	some name in configs[_].variables
	regex.match(`(?i)(token|secret|password)`, name)
}

warn_size contains sprintf("%d bytes in %d layers", [total, count(layers)]) if {
	some config in configs
	layers := config.layers
	total := sum([layer.sizeBytes | some layer in layers])
	total > units.parse_bytes("0.5k")
}

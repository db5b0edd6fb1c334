package main

deny_secrets contains msg if {
	some i, entry in input.config.env
	[name, _] := split(entry, "=")
	regex.match(`(?i)(token|password|secret)$`, name)
	msg := sprintf("variable %d, %q, looks like a secret", [i, name])
}

package main

allowed_registry if {
	some pattern in data.registries
	glob.match(pattern, ["."], input.image.registry)
}

deny contains msg if {
	not allowed_registry
	msg := sprintf("%v is not one of %v", [input.image.registry, data.registries])
}

account := array.slice(split(input.image.registry, "."), 0, 1)[0]

deny contains "the account is not ours" if not account in data.accounts

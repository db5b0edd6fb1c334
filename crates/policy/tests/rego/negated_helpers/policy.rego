package main

deny contains "not from our registry" if not from_our_registry

from_our_registry if {
	some prefix in {"123456789012.dkr.ecr.", "public.ecr.aws/ours/"}
	startswith(input.image, prefix)
}

deny contains sprintf("container %s has no limits", [container.name]) if {
	some container in input.containers
	not has_limits(container)
}

has_limits(container) if {
	container.resources.limits.memory
	container.resources.limits.cpu
}

deny contains "no owner label" if not input.labels.owner

deny contains "debug" if not input.debug == false

warn contains "none is root" if not any_root

any_root if input.containers[_].user == "root"

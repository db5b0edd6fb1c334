package main

import data.kubernetes

name = input.metadata.name

deny_root[msg] {
	kubernetes.is_deployment
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg = sprintf("Containers must not run as root in Deployment %s", [name])
}

required_deployment_selectors {
	input.spec.selector.matchLabels.app
	input.spec.selector.matchLabels.release
}

deny[msg] {
	kubernetes.is_deployment
	not required_deployment_selectors
	msg = sprintf("Deployment %s must provide app/release labels for pod selectors", [name])
}

warn[msg] {
	kubernetes.is_service
	msg = sprintf("Found service %s but services are not allowed", [name])
}

violation[{"msg": msg}] {
	kubernetes.is_deployment
	container := input.spec.template.spec.containers[_]
	[image_name, "latest"] = split_image(container.image)
	msg := sprintf("%s in the Deployment %s has an image, %s, using the latest tag", [container.name, name, image_name])
}

split_image(image) = [image, "latest"] {
	not contains(image, ":")
}

split_image(image) = [image_name, tag] {
	[image_name, tag] = split(image, ":")
}

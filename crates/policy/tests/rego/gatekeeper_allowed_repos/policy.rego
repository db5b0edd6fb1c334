package main

violation[{"msg": msg, "details": {}}] {
	container := input.review.object.spec.containers[_]
	not strings.any_prefix_match(container.image, input.parameters.repos)
	msg := sprintf("container <%v> has an invalid image repo <%v>, allowed repos are %v", [container.name, container.image, input.parameters.repos])
}

violation[{"msg": msg}] {
	container := input.review.object.spec.initContainers[_]
	satisfied := [good | repo = input.parameters.repos[_] ; good = startswith(container.image, repo)]
	not any_true(satisfied)
	msg := sprintf("initContainer <%v> has an invalid image repo <%v>, allowed repos are %v", [container.name, container.image, input.parameters.repos])
}

any_true(list) { list[_] == true }

package main

missing(obj, field) = true {
	not obj[field]
}

missing(obj, field) = true {
	obj[field] == ""
}

mem_multiple("Ki") = 1024000 { true }

mem_multiple("Mi") = 1048576000 { true }

mem_multiple("Gi") = 1073741824000 { true }

mem_multiple("") = 1000 { true }

get_suffix(mem) = suffix {
	is_string(mem)
	count(mem) > 1
	suffix := substring(mem, count(mem) - 2, -1)
	mem_multiple(suffix)
}

get_suffix(mem) = "" {
	is_number(mem)
}

canonify_mem(orig) = new {
	is_number(orig)
	new := orig * 1000
}

canonify_mem(orig) = new {
	not is_number(orig)
	suffix := get_suffix(orig)
	raw := replace(orig, suffix, "")
	regex.match("^[0-9]+(\\.[0-9]+)?$", raw)
	new := to_number(raw) * mem_multiple(suffix)
}

violation[{"msg": msg}] {
	general_violation[{"msg": msg, "field": "containers"}]
}

general_violation[{"msg": msg, "field": field}] {
	container := input.review.object.spec[field][_]
	missing(container.resources.limits, "memory")
	msg := sprintf("container <%v> has no memory limit", [container.name])
}

general_violation[{"msg": msg, "field": field}] {
	container := input.review.object.spec[field][_]
	mem := canonify_mem(container.resources.limits.memory)
	max_mem := canonify_mem(input.parameters.memory)
	mem > max_mem
	msg := sprintf("container <%v> memory limit <%v> is higher than the maximum allowed of <%v>", [container.name, container.resources.limits.memory, input.parameters.memory])
}

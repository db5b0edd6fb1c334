package main

deny contains "registry" if not strings.any_prefix_match(input.image, input.allowed)

deny contains "suffix" if strings.any_suffix_match(input.image, [":latest", ":dev"])

deny contains "startswith any" if {
	prefixes := {"docker.io/", "quay.io/"}
	startswith(input.image, prefixes[_])
}

image := {"name": parts[0], "tag": parts[1]} if {
	parts := split(input.image, ":")
	count(parts) == 2
}

deny contains concat("/", ["tag", image.tag])

deny contains concat(",", {"c", "a", "b"})

deny contains trim(trim_prefix(trim_suffix(input.image, ":latest"), "docker.io/"), "/")

deny contains sprintf("%v %v %v", [indexof("hello", "l"), substring("hello", 1, 3), substring("hello", 2, -1)])

deny contains upper(replace("a-b-c", "-", "_"))

deny contains strings.replace_n({"<": "&lt;", ">": "&gt;"}, "<b>")

package main

deny contains sprintf("secret in %s", [concat(".", [sprintf("%v", [step]) | some step in path])]) if {
	walk(input, [path, value])
	some part in path
	part == "password"
	is_string(value)
}

privileged contains path if {
	walk(input, [path, value])
	value.privileged == true
}

deny contains sprintf("privileged at %v", [path]) if some path in privileged

deny contains "image latest" if {
	walk(input, [_, value])
	endswith(value.image, ":latest")
}

images := {image | walk(input, [p, image]); p[count(p) - 1] == "image"}

warn contains sprintf("%v", [images])

warn contains sprintf("%d values", [count([1 | walk(input, _)])])

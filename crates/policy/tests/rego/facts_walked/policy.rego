package main

deny contains sprintf("%s at %s", [value.id, concat("/", [sprintf("%v", [part]) | some part in path])]) if {
	walk(input, [path, value])
	value.severity == "CRITICAL"
}

warn contains sprintf("%d digests", [count({value | walk(input, [_, value]); is_string(value); startswith(value, "sha256:")})])

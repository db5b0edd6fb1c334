package main

deny contains sprintf("%s %s", [type_name(value), name]) if {
	some name, value in {"a": 1, "b": "x", "c": [1], "d": {1}, "e": {"k": 1}, "f": null, "g": true}
	not is_string(value)
}

deny contains sprintf("%v|%v|%v|%v", [[1, "a", null], {"b": {"c": [1.5]}}, {"y", "x"}, "text"])

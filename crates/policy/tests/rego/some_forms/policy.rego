package main

deny contains sprintf("%d %v", [i, x]) if some i, x in input.list

deny contains sprintf("%s=%v", [k, v]) if some k, v in input.object

deny contains sprintf("%v", [pair]) if {
	some i
	a := input.list[i]
	some j
	b := input.list[j]
	i < j
	pair := [a, b]
}

deny contains "found" if {
	some x in input.list
	x == input.object.two
}

warn contains sprintf("%v", [kinds]) if kinds := {kind | some item in input.items; kind := item.kind}

warn contains sprintf("%s", [k]) if {
	some k
	input.object[k] == 2
}

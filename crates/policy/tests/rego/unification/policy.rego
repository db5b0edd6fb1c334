package main

deny contains sprintf("%v %v", [a, b]) if [a, [b]] = [1, [2]]

deny contains sprintf("%v", [x]) if {
	x = y
	y = 5
}

deny contains sprintf("%s:%s", [name, tag]) if [name, tag] := split("nginx:1", ":")

deny contains sprintf("%s", [rest]) if {
	["a", rest] = input.pairs[_]
}

deny contains sprintf("%v", [i]) if input.pairs[i] = ["b", _]

deny contains object.msg if {
	name = input.names[0]
	object = {"msg": name, "list": [name]}
}

deny contains "never" if [1, 2] = input.names

deny contains sprintf("%s", [k]) if {
	input.object[k] = v
	v > 1
}

deny contains sprintf("same %v", [i]) if input.pairs[i][0] == input.names[i]

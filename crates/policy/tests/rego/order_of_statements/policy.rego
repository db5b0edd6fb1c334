package main

deny contains msg if {
	msg = sprintf("%s %d", [name, size])
	size > 1
	name = item.name
	size = count(item.parts)
	item = input.items[_]
}

deny contains y if {
	y = concat("", [x, "!"])
	x = input.word
}

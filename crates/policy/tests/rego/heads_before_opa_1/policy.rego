package main

# The syntax of before OPA 1.0: heads in brackets, and further blocks for further bodies.

name(x) = x.name { x.known }

deny[name(x)] { x := input.list[_] }

deny[x.alias] { x := input.list[_] }

deny[x.alias] { x := input.more[_] }

first(x) = x.name {
	x.known
} {
	x.alias
}

warn[sprintf("first %s", [first(x)])] { x := input.list[_] }

violation[{"msg": sprintf("of %s", [x.name])}] {
	x := input.list[_]
	x.known # }
}

levels[x.name] = x.level { x := input.list[_] }

deny[sprintf("level %s", [key])] { levels[key] }

level(x) = x.level { x.known } else = x.alias { true } else = "none" { true }

warn[sprintf("%s: %v", [x.id, level(x)])] { x := input.list[_] }

other[["pair", x.name][i]] { x := input.list[_]; i := 1 }

warn[text] { other[text] }

package main

import input.first as one
import input.nothing as nobody

# Each head below has a value for some of what its body finds, and none for the rest.

name(x) := x.name if x.known

deny contains "plain"

deny contains name({"known": false})

deny contains name(x) if some x in input.list

deny contains nobody if input.first

deny contains one.name if "a text" in {"a text", "another"}

deny contains {"msg": sprintf("largest %v", [max(x)])} if some x in input.numbers

deny contains sprintf("all of %s", [name(x)]) if {some x in input.list}

deny contains (x.name) if { # }
	some x in input.list
	x.known # and not }
}

deny contains concat("", ["by \"", x.name, `"}`]) if {
	some x in input.list
	not x.known == false
	# nothing }
}

# Objects of rules, by key and by value.
levels[x.name] := name(x) if some x in input.list

levels["fixed"] := name(x) if some x in input.without

aliases[x.alias].of[lower(x.name)] := x.level if { some x in input.list; x.known }

deny contains sprintf("level %s", [key]) if some key, _ in levels

deny contains sprintf("alias %s", [key]) if some key, _ in aliases.ann.of

known[x.name] if some x in input.list

deny contains sprintf("known %s", [key]) if some key, true in known

groups[x.group] contains x.name if some x in input.list

deny contains sprintf("%s: %d", [group, count(names)]) if some group, names in groups

# Rules and functions of one value.
first_level := x.level if {
	some x in input.list
}

deny contains sprintf("first level %d", [first_level]) if first_level

level(list) := x.level if some x in list

deny contains sprintf("level %d of list", [level(input.list)])

warn contains sprintf("no level %v", [level(input.without)])

chosen(x) := x.level if {
	x.name
} else := x.alias if x.alias == "bo" else := "neither"

warn contains sprintf("%s chosen %v", [x.id, chosen(x)]) if some x in input.list

chosen_rule := input.first.level if input.first.name else := input.nothing.x if true else := "at last"

warn contains chosen_rule

picked := [name(x) | some x in input.list]

warn contains sprintf("picked %d", [count(picked)])

most := {name(x): x.level | some x in input.list}

warn contains sprintf("most %d", [count(most)])

warn contains sprintf("sum %v", [x.level + 1]) if some x in input.list

warn contains x.tags[_] if some x in input.list

warn contains [text | text := x.name][0] if some x in input.list

warn contains data.main.levels[x.name] if some x in input.list

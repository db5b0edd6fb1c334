package main

required := {"owner", "team", "cost"}

given := {label | input.labels[label]}

deny contains sprintf("missing labels: %v", [missing]) if {
	missing := required - given
	count(missing) > 0
}

deny contains sprintf("%v", [required | given])

deny contains sprintf("%v", [required & given])

deny contains sprintf("%v", [union({{1}, {2, 3}})])

deny contains sprintf("%v", [intersection({{1, 2}, {2, 3}})])

deny contains "equal" if {"a", "b"} == {x | some x in ["b", "a", "a"]}

warn contains sprintf("%v", [given - required - {"team"}])

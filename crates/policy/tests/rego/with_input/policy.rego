package main

bad if input.level > 2

deny contains "as given" if bad

deny contains "replaced" if bad with input as {"level": 3}

deny contains "part" if bad with input.level as 9

deny contains "list" if count(data.lists.allowed) == 1 with data.lists.allowed as ["x"]

deny contains "both" if {
	count(data.lists.allowed) == 1 with data.lists.allowed as ["x"] with input.level as 2
	not bad
}

deny contains "rule" if bad with data.main.threshold as 1

threshold := 5

over if input.level > threshold

deny contains "over" if over with data.main.threshold as 0

deny contains "not over" if not over

deny contains sprintf("%d %d", [input.level, n]) if n := input.level with input.level as 7

deny contains sprintf("each %d", [x]) if {
	some x in [1, 2, 3, 4]
	bad with input.level as x
}

warn contains sprintf("%v", [[x | some x in input.list with input.list as [1, 2]]])

package main

by_severity := {severity: ids |
	some finding in input.findings
	severity := finding.severity
	ids := {id | some other in input.findings; other.severity == severity; id := other.id}
}

table := [[n | some y in [1, 2]; n := x * y] | some x in [1, 2, 3]]

deny contains sprintf("%s: %s", [severity, concat(", ", sort(ids))]) if {
	some severity, ids in by_severity
	count(ids) > 1
}

deny contains sprintf("%v", [table])

deny contains sprintf("%v", [{k: count(v) | some k, v in by_severity}])

worst := max([score | score := input.findings[_].score])

deny contains sprintf("worst %v", [worst]) if worst > count([1 | some _ in input.findings])

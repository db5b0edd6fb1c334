package main

weight("CRITICAL") := 100

weight("HIGH") := 10

weight(severity) := 1 if severity in {"MEDIUM", "LOW"}

default weight(_) := 0

score(findings) := sum([weight(finding.severity) | some finding in findings])

label(n) := "high" if {
	n >= 100
} else := "middle" if {
	n >= 10
} else := "low"

deny contains sprintf("%d %s", [score(input.findings), label(score(input.findings))])

deny contains sprintf("%d %s", [n, label(n)]) if some n in [1, 10, 100]

nine(a, b, c, d, e, f, g, h, i) := a + b + c + d + e + f + g + h + i

deny contains sprintf("%d", [nine(1, 2, 3, 4, 5, 6, 7, 8, 9)])

first([x, _]) := x

deny contains first(["first", 2])

named(object) := object.name

deny contains named({"name": "named"})

warn contains "unknown is nothing" if not named(input.findings[0])

package main

default rank(_) := 0

rank(severity) := {"CRITICAL": 4, "HIGH": 3, "MEDIUM": 2}[severity]

deny contains sprintf("%s %d", [finding.id, rank(finding.severity)]) if some finding in input.findings

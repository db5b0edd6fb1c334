package main

day := 24 * 60 * 60 * 1000000000

age := time.now_ns() - time.parse_rfc3339_ns(input.created)

deny contains sprintf("%d days old", [floor(age / day)]) if age > 30 * day

expired(exception) if time.parse_rfc3339_ns(exception.until) < time.now_ns()

deny contains sprintf("exception %s is over", [exception.id]) if {
	some exception in input.exceptions
	expired(exception)
}

deny contains "window" if time.now_ns() - time.parse_duration_ns("48h") > time.parse_rfc3339_ns(input.created)

deny contains sprintf("%v %v %v", [time.date(time.now_ns()), time.clock(time.now_ns()), time.weekday(time.now_ns())])

warn contains sprintf("%v", [time.add_date(time.parse_rfc3339_ns("2024-01-31T00:00:00Z"), 0, 1, 0)])

warn contains sprintf("%v", [time.diff(time.parse_rfc3339_ns("2026-01-02T00:00:00Z"), time.parse_rfc3339_ns("2024-11-30T12:00:00Z"))])

warn contains sprintf("%v", [[time.add_date(time.parse_rfc3339_ns("2024-02-29T10:00:00Z"), 1, 0, 0), time.add_date(time.parse_rfc3339_ns("2024-03-31T10:00:00Z"), -1, -13, -31)]])

warn contains time.format(time.parse_rfc3339_ns("2024-01-31T12:00:00+02:00"))

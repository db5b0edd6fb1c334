package main

created := time.parse_rfc3339_ns(input.config.created)

deny contains sprintf("built on %v at %v, a %s; ends %v", [time.date(created), time.clock(created), time.weekday(created), time.date(time.add_date(created, 0, 3, 0))]) if {
	time.add_date(created, 0, 3, 0) < time.now_ns()
}

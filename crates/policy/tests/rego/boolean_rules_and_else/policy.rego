package main

default allow := false

allow if input.user == "admin"

allow if {
	input.user == "dev"
	input.env != "prod"
}

deny contains "not allowed" if not allow

decision := "block" if {
	input.score >= 9
} else := "ask" if {
	input.score >= 7
	input.env == "prod"
} else := "pass"

deny contains decision if decision != "pass"

default level := "none"

level := "some" if input.level

deny contains level

is_prod := input.env == "prod"

deny contains "prod" if is_prod

warn contains sprintf("%v", [input.env in {"dev", "stage"}])

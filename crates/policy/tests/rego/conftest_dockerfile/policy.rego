package main

denylist = [
	"openjdk"
]

deny[msg] {
	input[i].Cmd == "from"
	val := input[i].Value
	contains(val[i], denylist[_])

	msg = sprintf("unallowed image found %s", [val])
}

run_denylist = [
	"apk",
	"apt",
	"pip",
	"curl",
	"wget",
]

deny[msg] {
	input[i].Cmd == "run"
	val := input[i].Value
	contains(val[_], run_denylist[_])

	msg = sprintf("unallowed commands found %s", [val])
}

warn_user[msg] {
	not any_user
	msg := "no USER"
}

any_user {
	input[_].Cmd == "user"
}

package main

default deny := false

deny if user in {"", "root", "0"}

default user := ""

user := split(input.config.user, ":")[0]

package main

violation contains {"msg": msg, "details": {"port": port}} if {
	some spec in input.config.exposedPorts
	port := to_number(split(spec, "/")[0])
	port < 1024
	msg := sprintf("port %d is privileged", [port])
}

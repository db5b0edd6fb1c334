package main

deny contains sprintf("%d bytes are more than %d", [size, limit]) if {
	size := units.parse_bytes(input.config.size)
	limit := units.parse_bytes("500MB")
	size > limit
}

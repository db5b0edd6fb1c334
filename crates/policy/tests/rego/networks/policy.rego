package main

deny contains sprintf("%s is public", [port.from]) if {
	some port in input.rules
	not strings.any_prefix_match(port.from, ["10.", "192.168."])
	net.cidr_contains("0.0.0.0/0", port.from)
}

deny contains sprintf("%v", [[net.cidr_contains("10.0.0.0/8", "10.1.2.3"), net.cidr_contains("10.0.0.0/8", "10.1.0.0/16"), net.cidr_contains("10.1.0.0/16", "10.0.0.0/8"), net.cidr_contains("10.0.0.0/8", "11.0.0.1"), net.cidr_contains("fd00::/8", "fd12::1"), net.cidr_contains("10.0.0.0/8", "fd12::1"), net.cidr_contains("10.0.0.0/8", "::ffff:10.1.1.1"), net.cidr_contains("0.0.0.0/0", "1.2.3.4"), net.cidr_contains("::/0", "fd00::/8"), net.cidr_contains("10.1.2.3/8", "10.200.0.1")]])

deny contains sprintf("%v", [[net.cidr_intersects("10.0.0.0/8", "10.1.0.0/16"), net.cidr_intersects("10.0.0.0/8", "11.0.0.0/8"), net.cidr_intersects("10.0.0.0/8", "fd00::/8")]])

deny contains sprintf("%v", [[net.cidr_is_valid("10.0.0.0/8"), net.cidr_is_valid("10.0.0.0/33"), net.cidr_is_valid("10.0.0.0"), net.cidr_is_valid("10.0.0/8"), net.cidr_is_valid("fd00::/129"), net.cidr_is_valid("10.0.0.0/+8"), net.cidr_is_valid("010.0.0.0/8")]])

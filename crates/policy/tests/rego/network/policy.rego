package main

deny contains "from outside" if not net.cidr_contains("192.168.0.0/16", input.network.source)

deny contains "from the lab" if net.cidr_contains("10.1.0.0/16", input.network.source)

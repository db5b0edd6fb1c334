package main

import rego.v1

deny contains "from the other module" if count(input.findings) == seen

seen := 2

warn contains "shared" if data.main.seen > 1

package main

deny contains "there is no list of findings" if not input.findings

deny contains finding.id if some finding in input.findings

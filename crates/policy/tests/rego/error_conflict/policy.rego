package main

level := "low" if input.findings[_].severity == "LOW"

level := "high" if input.findings[_].severity == "HIGH"

deny contains level

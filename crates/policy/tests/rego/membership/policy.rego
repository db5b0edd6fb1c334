package main

deny contains "set" if "b" in {"a", "b"}

deny contains "list" if 2 in input.list

deny contains "value" if "x" in {"k": "x"}

deny contains "pair" if "k", "x" in {"k": "x"}

deny contains "index" if 0, 1 in input.list

deny contains "never" if "k" in {"k": "x"}

deny contains "never" if not 2 in input.list

deny contains sprintf("%s", [x]) if {
	some x in ["a", "b", "c"]
	not x in {"b"}
}

warn contains sprintf("%v", [[r | r := 1 in input.list]])

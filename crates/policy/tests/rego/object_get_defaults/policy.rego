package main

annotations := object.get(input.metadata, "annotations", {})

deny contains "no owner" if object.get(annotations, "owner", "") == ""

deny contains sprintf("%v", [object.get(input, ["spec", "replicas"], 1)])

deny contains sprintf("%v", [object.get(input, ["spec", "list", 1], "none")])

deny contains sprintf("%v", [object.get(input, ["no", "such"], {"deep": true})])

warn contains "paused" if object.get(input.spec, "paused", false)

package main

merged := object.union({"a": {"x": 1}, "b": 2}, {"a": {"y": 3}})

deny contains sprintf("%v %v %v %v", [merged, object.remove(merged, ["b"]), object.filter(merged, ["b"]), object.get(merged, ["a", "y"], 0)])

deny contains "subset" if object.subset(input.config.labels, {"maintainer": "a@example.com"})

deny contains sprintf("%v", [json.filter(input.image, ["tag", "repository"])])

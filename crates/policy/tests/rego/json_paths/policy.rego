package main

deny contains sprintf("%v", [json.filter(input, {"a/b", "c/0"})])

deny contains sprintf("%v", [json.remove(input, ["a/b"])])

deny contains sprintf("%v", [json.patch(input, [{"op": "add", "path": "/a/z", "value": 9}, {"op": "remove", "path": "/c/0"}, {"op": "replace", "path": "/d", "value": "new"}])])

deny contains json.marshal({"z": 1, "a": [true, null, 1.5, "x\"y"]})

deny contains sprintf("%v", [json.unmarshal("{\"k\": [1, 2]}").k])

warn contains "bad" if not json.is_valid("{")

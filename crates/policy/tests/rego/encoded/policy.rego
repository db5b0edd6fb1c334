package main

document := json.unmarshal(base64.decode("eyJkZW55IjogWyJhIiwgImIiXSwgIm4iOiAxLjV9"))

deny contains sprintf("%s %v %s", [item, document.n, json.marshal({"b": 1, "a": [true, null]})]) if some item in document.deny

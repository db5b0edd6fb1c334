package main

deny contains "tag" if not regex.match(`^v[0-9]+\.[0-9]+\.[0-9]+$`, input.tag)

deny contains sprintf("%v", [regex.find_n(`[0-9]+`, "a1b22c333", 2)])

deny contains sprintf("%v", [regex.find_n(`[0-9]+`, "a1b22c333", -1)])

deny contains sprintf("%v", [regex.split(`[,;]\s*`, "a, b;c")])

deny contains regex.replace("2024-01-02", `(\d+)-(\d+)-(\d+)`, "$3.$2.$1")

deny contains sprintf("%v", [regex.find_all_string_submatch_n(`(\w)=(\w)`, "a=b c=d", -1)])

deny contains "glob host" if glob.match("*.example.com", [], "api.example.com")

deny contains "never" if glob.match("*.example.com", ["."], "a.b.example.com")

deny contains "glob deep" if glob.match("**.example.com", ["."], "a.b.example.com")

deny contains "glob path" if glob.match("docker.io/{library,ours}/*", ["/"], "docker.io/ours/app")

deny contains "never" if glob.match("docker.io/*", ["/"], "docker.io/ours/app")

deny contains "class" if glob.match("v[0-9]*", [], "v1.2")

deny contains "re_match" if regex.is_valid("[") == false

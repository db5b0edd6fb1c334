package main

deny contains sprintf("%v %v %v %v", [indexof("findings", "d"), substring("findings", 0, 4), split("a,b,,c", ","), strings.reverse("abc")])

deny contains sprintf("%v", [regex.find_n(`[0-9]+`, "CVE-2024-12", -1)])

deny contains regex.replace("CVE-2024-12", `([A-Z]+)-(\d+)`, "$2/$1")

deny contains sprintf("%v", [strings.replace_n({"<": "&lt;", ">": "&gt;"}, "<b>")])

deny contains "prefix" if strings.any_prefix_match(input.image.repository, ["infra/", "team/"])

deny contains format_int(255, 16)

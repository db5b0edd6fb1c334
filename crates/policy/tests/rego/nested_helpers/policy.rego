package main

top := [finding | some finding in input.findings; severe(finding)]

severe(finding) if finding.score > threshold

threshold := limits[kind] if kind in object.keys(limits)

limits := {"web": 7, "batch": 9}

kind := "web" if contains(input.image.repository, "/web/")

names := [finding.package.name | some finding in top]

deny contains concat(" ", names) if count(top) > 1

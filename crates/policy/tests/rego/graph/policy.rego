package main

reachable := graph.reachable(input.needs, {"app"})

deny contains sprintf("%v", [reachable])

deny contains sprintf("%s is banned", [name]) if some name in reachable & {"left-pad"}

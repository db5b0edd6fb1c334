package main

deny contains sprintf("%v %v", [a, b]) if some [a, b] in input.pairs

deny contains sprintf("one %v", [b]) if some ["one", b] in input.pairs

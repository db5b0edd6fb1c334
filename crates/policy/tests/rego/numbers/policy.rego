package main

deny contains sprintf("%v %v %v %v %v %v", [7 / 2, 7 % 3, 0.25 + 0.5, 1e3, round(2.5), abs(-3)])

deny contains sprintf("%d %5d %05d %.2f %x %v", [12, 12, 12, 1.005, 255, 10000000000000000000])

deny contains sprintf("%v", [numbers.range(3, 1)])

deny contains "equal" if 1 == 1.0

deny contains "large" if 9007199254740993 > 9007199254740992

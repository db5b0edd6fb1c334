package main

deny contains sprintf("%d|%s|%v", ["x", 1, 2])

deny contains sprintf("%s %s", ["a"])

deny contains sprintf("%s", ["a", 1, null])

deny contains sprintf("%z %", [1])

deny contains sprintf("%5.1f|%+d|%x|% d|%#x|%-8v|%08.3f|%U|%c", [1.25, 3, "hex", 5, 255, "ab", 3.14159, 65, 66])

deny contains sprintf("%.3s|%.2q|%6d|%-6d|%06d|%05s", ["abcdef", "xyz", -42, -42, -42, "ab"])

deny contains sprintf("%v %v %v %g %v", [1234567.5, 0.00001, 0.1, 1000000.5, 99999.5])

deny contains sprintf("%v %d %x %b %o", [-3, -3, -255, -5, -8])

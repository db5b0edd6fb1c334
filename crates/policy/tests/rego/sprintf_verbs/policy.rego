package main

deny contains sprintf("%s|%d|%v|%5d|%-5d|%05d|%x|%X|%o|%b|%c|%q|%t|%%", ["a", 1, {"k": [1, "x"]}, 42, 42, 42, 255, 255, 8, 5, 65, "q", true])

deny contains sprintf("%.2f %.0f %6.2f %e %g", [1.005, 2.5, 3.14159, 12345.678, 0.5])

deny contains sprintf("%v %v %v %v", [null, true, 1.5, "text"])

deny contains sprintf("%s has %v", ["x", ["a", 1, null, {"b": false}]])

deny contains sprintf("%10s|%-10s|", ["right", "left"])

deny contains sprintf("%v", [{1, 2, 3}])

deny contains sprintf("%d", [12345678901234567890])

package main

deny[msg] {
	count(input.list, n)
	n > 2
	sprintf("%d entries", [n], msg)
}

deny[msg] {
	split(input.image, ":", [_, tag])
	msg := tag
}

deny[msg] {
	double(4, x)
	msg := sprintf("%d", [x])
}

deny[msg] {
	double(2, 4)
	msg := "double"
}

double(n) = m { m := n * 2 }


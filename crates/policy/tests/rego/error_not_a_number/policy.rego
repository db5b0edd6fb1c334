package main

deny contains "old" if {
	to_number(input.image.tag) < 2
}

package main

deny contains sprintf("%s: not every layer is signed", [image.name]) if {
	some image in input.images
	not all_signed(image)
}

all_signed(image) if {
	every layer in image.layers {
		layer.signed
		some key in input.keys
		layer.key == key
	}
}

warn contains "ordered" if {
	every i, layer in input.images[0].layers {
		layer.index == i
	}
}

warn contains "nothing" if every x in [] { x == 1 }

warn contains "keys" if {
	every name, value in {"a": 1, "b": 2} {
		is_string(name)
		value > 0
	}
}

package lib.images

import rego.v1

short(image) := parts[count(parts) - 1] if parts := split(image, "/")

registry(image) := split(image, "/")[0]

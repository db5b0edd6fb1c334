# What the policy of (t) says, for OPA: every image of what is about to run names a digest, and its user is not root. The images are data.
package admission

import rego.v1

answer := {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

response := {"uid": input.request.uid, "allowed": true} if count(deny) == 0

response := {
	"uid": input.request.uid,
	"allowed": false,
	"status": {"code": 403, "reason": "Forbidden", "message": concat("\n", deny)},
} if count(deny) > 0

spec := input.request.object.spec if input.request.kind.kind == "Pod"

spec := input.request.object.spec.template.spec if input.request.kind.kind in {"Deployment", "StatefulSet", "Job"}

deny contains msg if {
	some list in ["containers", "initContainers", "ephemeralContainers"]
	some container in spec[list]
	not runs_as_somebody(container.image)
	msg := sprintf("%s runs as root", [container.image])
}

runs_as_somebody(image) if {
	digest := split(image, "@")[1]
	user := data.images[digest].config.user
	not user in {"", "0", "root"}
}

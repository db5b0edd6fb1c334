package lib.severity

import rego.v1
import data.settings.threshold

order := ["LOW", "MEDIUM", "HIGH", "CRITICAL"]

rank(severity) := i if {
	some i, name in order
	name == severity
}

severe(finding) if rank(finding.severity) >= rank(threshold)

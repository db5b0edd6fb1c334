{{- define "ecr-gate.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "ecr-gate.serviceAccount" -}}
{{- default (ternary (include "ecr-gate.name" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "ecr-gate.chosen" -}}
app.kubernetes.io/name: ecr-gate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ecr-gate.labels" -}}
{{ include "ecr-gate.chosen" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "ecr-gate.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* YAML reads `off` as false. */}}
{{- define "ecr-gate.tags" -}}
{{- ternary "off" .Values.admission.tags (kindIs "bool" .Values.admission.tags) -}}
{{- end -}}

{{/* The Secret with the certificate. */}}
{{- define "ecr-gate.tls" -}}
{{- if eq .Values.certificates.from "secret" }}{{ .Values.certificates.secret.name }}{{ else if eq .Values.certificates.from "gate" }}{{ include "ecr-gate.name" . }}-certificate{{ else }}{{ include "ecr-gate.name" . }}-tls{{ end -}}
{{- end -}}

{{/* What the certificate is for, as a JSON list. */}}
{{- define "ecr-gate.names" -}}
{{- $service := printf "%s.%s" (include "ecr-gate.name" .) .Release.Namespace -}}
{{- concat (list (printf "%s.svc" $service) (printf "%s.svc.cluster.local" $service) $service (include "ecr-gate.name" .)) .Values.certificates.names | uniq | toJson -}}
{{- end -}}

{{/* What is missing or does not go together ends the installation here, with words. */}}
{{- define "ecr-gate.check" -}}
{{- $v := .Values -}}
{{- if has .Release.Namespace (list "default" "kube-system" "kube-public" "kube-node-lease") -}}
{{- fail (printf "ecr-gate needs a namespace of its own: what is in it is not judged, and %s is not for that (helm install --namespace ecr-gate --create-namespace)" .Release.Namespace) -}}
{{- end -}}
{{- if not $v.image.repository -}}{{- fail "image.repository is empty: where is the image of ecr-gate?" -}}{{- end -}}
{{- if not $v.admission.cluster -}}{{- fail "admission.cluster is empty: how is this cluster called?" -}}{{- end -}}
{{- if not $v.registries.allowed -}}{{- fail "registries.allowed is empty: the gate asks the registries listed there and no others, so that every image would be denied" -}}{{- end -}}
{{- range $v.registries.allowed -}}
{{- if not (regexMatch "^([*][.])?[]A-Za-z0-9_:[-][]A-Za-z0-9._:[-]*$" .) -}}
{{- fail (printf "registries.allowed: %q is no registry's host: as images name it, with its port if it has one, or `*.` and the end of hosts; no https:// before it, and no repository behind it" .) -}}
{{- end -}}
{{- end -}}
{{- range $v.registries.networks -}}
{{- if not (regexMatch "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$" .) -}}{{- fail (printf "registries.networks: %q is no network, such as 10.0.0.0/16" .) -}}{{- end -}}
{{- end -}}
{{- if and (eq $v.database.kind "sqlite") (gt (int $v.replicas) 1) -}}
{{- fail (printf "replicas is %d, and a SQLite file belongs to one process: replicas=1, or database.kind=postgresql" (int $v.replicas)) -}}
{{- end -}}
{{- if and (eq $v.database.kind "postgresql") (not $v.database.existingSecret) -}}
{{- fail "database.existingSecret is empty: make a Secret with the URL of the database (kubectl create secret generic ecr-gate-database --from-literal=url=postgres://…), or take database.kind=sqlite with replicas=1" -}}
{{- end -}}
{{- if and (eq $v.certificates.from "secret") (not (and $v.certificates.secret.name $v.certificates.secret.authority)) -}}
{{- fail "certificates.from is secret: certificates.secret.name and certificates.secret.authority say which, and who signed it" -}}
{{- end -}}
{{- if and (eq $v.certificates.from "gate") (ge (int $v.certificates.gate.renewBeforeDays) (int $v.certificates.gate.days)) -}}
{{- fail "certificates.gate.renewBeforeDays has to be less than certificates.gate.days" -}}
{{- end -}}
{{- range $key := list "listen" "dataDir" "database" "tls" "admission" -}}
{{- if hasKey $v.config $key -}}{{- fail (printf "config.%s is for the chart to set" $key) -}}{{- end -}}
{{- end -}}
{{- $tokens := or $v.adminToken.create $v.adminToken.existingSecret -}}
{{- if and $v.adminToken.create $v.adminToken.existingSecret -}}
{{- fail "adminToken.existingSecret is for adminToken.create=false" -}}
{{- end -}}
{{- if and $v.config.auth $v.config.auth.tokens $tokens -}}
{{- fail "config.auth.tokens would be passed over for adminToken: set adminToken.create=false and no adminToken.existingSecret" -}}
{{- end -}}
{{- if not (or $tokens (and $v.config.auth $v.config.auth.tokens) $v.config.identities) -}}
{{- fail "nobody could use the API: set adminToken.create, adminToken.existingSecret, config.auth.tokens or config.identities" -}}
{{- end -}}
{{- $names := list -}}
{{- range $v.admission.environments -}}
{{- if has .name $names -}}{{- fail (printf "admission.environments has %s twice: one label is an environment" .name) -}}{{- end -}}
{{- $names = append $names .name -}}
{{- if and (has .label.operator (list "In" "NotIn")) (not .label.values) -}}
{{- fail (printf "admission.environments: %s of %s needs values" .label.operator .name) -}}
{{- end -}}
{{- if and (has .label.operator (list "Exists" "DoesNotExist")) .label.values -}}
{{- fail (printf "admission.environments: %s of %s has no values" .label.operator .name) -}}
{{- end -}}
{{- if hasPrefix "kubernetes.io/metadata.name" .label.key -}}
{{- fail (printf "admission.environments: %s goes by the namespace's name: say so in admission.namespaces" .name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.admission.breakGlass (not $v.admission.breakGlass.longest) -}}
{{- fail "admission.breakGlass.longest is empty: for how long at most may they let an image through? (4h)" -}}
{{- end -}}
{{- if and $v.admission.breakGlass (not $v.admission.clientCa) -}}
{{- fail "admission.breakGlass needs admission.clientCa: without a certificate of the API server anybody who reaches the port could say who wrote an object" -}}
{{- end -}}
{{- range $v.admission.kinds -}}
{{- if not (or .podSpec .images) -}}{{- fail (printf "admission.kinds: %s has neither podSpec nor images: where are its images?" .kind) -}}{{- end -}}
{{- end -}}
{{- end -}}

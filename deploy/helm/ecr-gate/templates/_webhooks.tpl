{{/* What makes pods: rules of a webhook. Subresources are not in them but for ephemeral containers: status and scale carry no images. */}}
{{- define "ecr-gate.rules" -}}
{{- $rules := list (dict "groups" "" "versions" (list "v1") "resources" (list "pods" "pods/ephemeralcontainers")) -}}
{{- if .all -}}
{{- $rules = list
      (dict "groups" "" "versions" (list "v1") "resources" (list "pods" "pods/ephemeralcontainers" "replicationcontrollers"))
      (dict "groups" "apps" "versions" (list "*") "resources" (list "deployments" "replicasets" "statefulsets" "daemonsets"))
      (dict "groups" "batch" "versions" (list "*") "resources" (list "jobs" "cronjobs")) -}}
{{- range .kinds -}}
{{- $rules = append $rules (dict "groups" .group "versions" (default (list "*") .versions) "resources" (list .resource)) -}}
{{- end -}}
{{- end -}}
{{- range $rules }}
- operations: [CREATE, UPDATE]
  apiGroups: [{{ .groups | quote }}]
  apiVersions: {{ .versions | toJson }}
  resources: {{ .resources | toJson }}
  scope: Namespaced
{{- end -}}
{{- end -}}

{{/*
What need not be asked: an UPDATE that leaves alone what makes pods, and with it the images. Controllers scale ReplicaSets and take finalizers away like this, also while
no gate answers. A new annotation of the gate's own (break-glass) on a workload is always looked at, and so is every kind that is not known here.
*/}}
{{- define "ecr-gate.conditions" -}}
- name: what-makes-pods-changes
  expression: >-
    request.operation != 'UPDATE' || (has(request.subResource) && request.subResource != '') ||
    !((request.resource.group == '' && request.resource.resource in ['pods', 'replicationcontrollers']) ||
    (request.resource.group == 'apps' && request.resource.resource in ['deployments', 'replicasets', 'statefulsets', 'daemonsets']) ||
    (request.resource.group == 'batch' && request.resource.resource in ['jobs', 'cronjobs'])) ||
    (request.resource.resource == 'pods' ? object.spec != oldObject.spec :
    (has(object.metadata.annotations) && object.metadata.annotations.exists(key, key.startsWith('ecr-gate.dev/') &&
    !(has(oldObject.metadata.annotations) && key in oldObject.metadata.annotations &&
    oldObject.metadata.annotations[key] == object.metadata.annotations[key]))) ||
    (request.resource.resource == 'cronjobs' ? object.spec.jobTemplate != oldObject.spec.jobTemplate :
    !has(object.spec.template) || !has(oldObject.spec.template) || object.spec.template != oldObject.spec.template))
{{- end -}}

{{/* The other side of one requirement of a selector: every namespace is on exactly one of both. In without a label is no, NotIn is yes. */}}
{{- define "ecr-gate.opposite" -}}
{{- $opposites := dict "In" "NotIn" "NotIn" "In" "Exists" "DoesNotExist" "DoesNotExist" "Exists" -}}
key: {{ .key | quote }}
operator: {{ get $opposites .operator }}
{{- with .values }}
values: {{ . | toJson }}
{{- end }}
{{- end -}}

{{- define "ecr-gate.requirement" -}}
key: {{ .key | quote }}
operator: {{ .operator }}
{{- with .values }}
values: {{ . | toJson }}
{{- end }}
{{- end -}}

{{/*
The webhooks of one configuration: one for each environment that goes by a label, one for kube-system, one for all the rest. Of the gate's own namespace there is none: it
could not start itself. `path` is validate or mutate.
*/}}
{{- define "ecr-gate.webhooks" -}}
{{- $root := .root -}}
{{- $path := .path -}}
{{- $v := $root.Values.admission -}}
{{- $hooks := list (dict "name" "kube-system" "environment" "" "policy" $v.kubeSystem.failurePolicy "requirements" (list "key: kubernetes.io/metadata.name\noperator: In\nvalues: [kube-system]")) -}}
{{- $others := printf "key: kubernetes.io/metadata.name\noperator: NotIn\nvalues: [kube-system, %s]" $root.Release.Namespace -}}
{{- $rest := list $others -}}
{{- range $v.environments -}}
{{- $hooks = append $hooks (dict "name" (printf "env-%s" .name) "environment" .name "policy" $v.failurePolicy "requirements" (list $others (include "ecr-gate.requirement" .label))) -}}
{{- $rest = append $rest (include "ecr-gate.opposite" .label) -}}
{{- end -}}
{{- $hooks = append $hooks (dict "name" "other" "environment" "" "policy" $v.failurePolicy "requirements" $rest) -}}
{{- range $hooks }}
- name: {{ .name }}.{{ $path }}.ecr-gate.dev
  admissionReviewVersions: [v1]
  clientConfig:
    service:
      name: {{ include "ecr-gate.name" $root }}
      namespace: {{ $root.Release.Namespace }}
      path: /admission/{{ $path }}{{ with .environment }}/{{ . }}{{ end }}
      port: 443
    {{- with $.bundle }}
    caBundle: {{ . }}
    {{- end }}
  rules: {{- include "ecr-gate.rules" (dict "all" $.all "kinds" $v.kinds) | nindent 4 }}
  namespaceSelector:
    matchExpressions:
      {{- range .requirements }}
      -{{ . | indent 8 | trimPrefix "       " }}
      {{- end }}
  matchConditions: {{- include "ecr-gate.conditions" $root | nindent 4 }}
  matchPolicy: Equivalent
  failurePolicy: {{ .policy }}
  sideEffects: NoneOnDryRun
  timeoutSeconds: {{ $v.timeoutSeconds }}
  {{- if eq $path "mutate" }}
  reinvocationPolicy: IfNeeded
  {{- end }}
{{- end -}}
{{- end -}}

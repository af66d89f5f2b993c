{{/* The release is named after its slot: the Service's name is what routes rely on, and the selector is the release. */}}
{{- define "model-api.name" -}}
{{- $name := printf "model-api-%s" .Values.slot -}}
{{- if ne .Release.Name $name -}}
{{- fail (printf "slot %s is installed as the release %s, not as %s; change the release's name or --set slot" .Values.slot $name .Release.Name) -}}
{{- end -}}
{{- $ends := addf .Values.drain.preStopSeconds .Values.drain.seconds 30 -}}
{{- if gt $ends (float64 .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds is %v, but drain.preStopSeconds, drain.seconds and the longest request (30 s) take %v; raise it" .Values.terminationGracePeriodSeconds $ends) -}}
{{- end -}}
{{- $exchange := .Values.strategy -}}
{{- if and (eq $exchange.type "RollingUpdate") (has (toString $exchange.maxSurge) (list "0" "0%")) (has (toString $exchange.maxUnavailable) (list "0" "0%")) -}}
{{- fail "strategy.maxSurge and strategy.maxUnavailable are both 0, so that no pod could ever be exchanged; raise one of them" -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{/* What finds the pods: never the version, as a selector cannot be changed. */}}
{{- define "model-api.selector" -}}
app.kubernetes.io/name: model-api
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "model-api.labels" -}}
{{ include "model-api.selector" . }}
app.kubernetes.io/part-of: deployment-strategy-lab
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
lab/slot: {{ .Values.slot }}
{{- end }}

{{- define "model-api.image" -}}
{{- if eq .Values.image.tag "latest" -}}
{{- fail "image.tag is latest, which does not tell what runs and cannot be rolled back; name a version" -}}
{{- end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What Pod Security "restricted" asks of every container, and a root file system that nobody writes. */}}
{{- define "model-api.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "model-api.user" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "batch.name" -}}
{{ printf "%s-batch" .Release.Name | trunc 44 | trimSuffix "-" }}
{{- end }}

{{- define "batch.labels" -}}
app.kubernetes.io/name: batch
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

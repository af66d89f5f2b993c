{{- define "pages.name" -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "pages.selector" -}}
app.kubernetes.io/name: pages
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pages.labels" -}}
{{ include "pages.selector" . }}
app.kubernetes.io/part-of: deployment-strategy-lab
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What `labctl model use` writes. */}}
{{- define "pages.choice" -}}
store = {{ .Values.model.store | quote }}
version = {{ .Values.model.version | quote }}
{{- with .Values.model.sha256 }}
sha256 = {{ . | quote }}
{{- end }}
{{- end }}

{{- define "pages.name" -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "pages.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
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

{{/* How the store is reached, for both containers. */}}
{{- define "pages.storeEnvironment" -}}
- name: AWS_EC2_METADATA_DISABLED
  value: "true"
{{- with .Values.storeCredentials.endpointUrl }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.storeCredentials.region }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.storeCredentials.secretName }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.storeCredentials.secretName }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "pages.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What finds the pods of a part: (dict "part" "prometheus" "root" $). */}}
{{- define "lab.selector" -}}
app.kubernetes.io/name: {{ .part }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "lab.labels" -}}
{{ include "lab.selector" . }}
app.kubernetes.io/part-of: deployment-strategy-lab
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* What Pod Security "restricted" asks of every container, and a root file system that nobody writes. */}}
{{- define "lab.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A Service that the host reaches: (dict "part" "prometheus" "root" $ "port" 9090 "nodePort" 30090), and "protocol" if not http. */}}
{{- define "lab.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" . | nindent 4 }}
spec:
  type: NodePort
  selector:
    {{- include "lab.selector" . | nindent 4 }}
  ports:
    - name: {{ .protocol | default "http" }}
      port: {{ .port }}
      targetPort: {{ .protocol | default "http" }}
      {{- with .nodePort }}
      nodePort: {{ . }}
      {{- end }}
{{- end }}

{{/* The head of a part's NetworkPolicy: (dict "part" "store" "root" $). */}}
{{- define "lab.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lab.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "lab.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}

{{/* Who may reach a port: pods of these names in the namespace, and whoever uses the node port, if there is one:
(dict "names" (list "grafana") "port" 9090 "nodePort" 30090 "root" $). */}}
{{- define "lab.from" -}}
{{- $outside := empty .nodePort | ternary (list) .root.Values.networkPolicy.outside -}}
{{- if or .names $outside -}}
- from:
    {{- range .names }}
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ . }}
    {{- end }}
    {{- range $outside }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    - port: {{ .port }}
{{- else -}}
[]
{{- end }}
{{- end }}

{{/* Names are found by all that ask for others. */}}
{{- define "lab.dns" -}}
- to:
    - namespaceSelector: {}
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end }}

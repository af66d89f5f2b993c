{{/* prometheus.yml. A target has its slot and version from the pod's labels, so that `up` has them while a replica does not answer;
the replica's own metrics carry the same ones, which honor_labels keeps. */}}
{{- define "lab.prometheus.config" -}}
global:
  scrape_interval: {{ .Values.prometheus.scrapeInterval }}
  scrape_timeout: {{ .Values.prometheus.scrapeTimeout }}
  evaluation_interval: {{ .Values.prometheus.evaluationInterval }}
rule_files:
  - /etc/prometheus-rules/*.yaml
scrape_configs:
  - job_name: model-api
    honor_labels: true
    kubernetes_sd_configs:
      - role: pod
        namespaces:
          own_namespace: true
        selectors:
          - role: pod
            label: app.kubernetes.io/name=model-api
    relabel_configs:
      # the init container has the same pod, but no port
      - source_labels: [__meta_kubernetes_pod_container_port_name]
        regex: http
        action: keep
      # a pod that is over keeps its address for a while
      - source_labels: [__meta_kubernetes_pod_phase]
        regex: Succeeded|Failed
        action: drop
      - source_labels: [__meta_kubernetes_pod_label_lab_slot]
        target_label: slot
      - source_labels: [__meta_kubernetes_pod_label_lab_version]
        target_label: version
  {{- with .Values.prometheus.gatewayMetrics }}
  - job_name: gateway
    metrics_path: /stats/prometheus
    # a gateway that others use as well has many more series than ours; the dashboard Gateway asks for windows to match
    scrape_interval: 5s
    scrape_timeout: 4s
    static_configs:
      - targets: [{{ . | quote }}]
    metric_relabel_configs:
      # of the proxy's thousand series these are looked at
      - source_labels: [__name__]
        regex: envoy_(cluster_(upstream_(rq|cx).*|membership_.*)|http_downstream_(rq|cx).*|server_(live|memory_allocated|uptime))|istio_.*
        action: keep
      # Istio gives labels other names than Envoy does by itself; with Envoy's, one dashboard fits this and the local proxy
      - source_labels: [cluster_name]
        regex: (.+)
        target_label: envoy_cluster_name
      - source_labels: [cluster_name]
        regex: outbound\|8000\|\|model-api-(blue|green)\..*
        target_label: envoy_cluster_name
      - source_labels: [__name__, response_code_class]
        regex: envoy_(?:cluster_upstream|http_downstream)_rq;(\d)xx
        target_label: envoy_response_code_class
      - source_labels: [__name__, response_code_class]
        regex: (envoy_(?:cluster_upstream|http_downstream)_rq);\dxx
        target_label: __name__
        replacement: ${1}_xx
      - regex: cluster_name|response_code_class
        action: labeldrop
  {{- end }}
  - job_name: prometheus
    scrape_interval: 15s
    scrape_timeout: 5s
    static_configs:
      - targets: ["127.0.0.1:9090"]
{{- end }}

{{/* All that is in the folder rules, each file under its name. */}}
{{- define "lab.prometheus.rules" -}}
{{- range $path, $content := .Files.Glob "rules/*.yaml" }}
{{ base $path }}: {{ toString $content | quote }}
{{- end }}
{{- end }}

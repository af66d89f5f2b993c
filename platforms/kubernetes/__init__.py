"""A rollout on a Kubernetes cluster: Helm releases per slot behind an Istio ingress gateway."""

"""Grafana's dashboards as code: `python -m dashboards` writes their JSON, `python -m dashboards --check` fails if it differs."""

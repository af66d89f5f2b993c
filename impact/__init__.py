"""What a rollout did to the users: their log read as it grows, Prometheus beside it, the verdict, the summary and the report."""

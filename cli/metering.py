"""What a run cost in CPU-seconds, asked at its end, before the Prometheus that knows it may end with the lab."""

from contextlib import suppress
from datetime import UTC, datetime

from impact.prometheus import PrometheusWitness
from impact.rundir import RunFolder
from impact.timeline import ended, spans
from strategies.errors import StoreRefused, WitnessLost
from strategies.events import Metered
from strategies.plan import Baseline


def meter(folder: RunFolder, prometheus: PrometheusWitness) -> None:
    """Write the servers' CPU-seconds down if they can be known; how the run ended does not depend on them."""
    with suppress(StoreRefused, WitnessLost):
        events = folder.events()
        end = ended(events)
        baseline = next((span for span in spans(folder.run, events) if isinstance(span.step, Baseline)), None)
        if end is None or baseline is None or baseline.end is None:
            return
        before, after = (datetime.fromtimestamp(moment, UTC) for moment in (baseline.start, baseline.end))
        steady, used = prometheus.cpu_rate(before, after), prometheus.cpu_seconds(after, end.at)
        if steady is not None and used is not None:
            seconds = (end.at - after).total_seconds()
            folder.write(Metered(at=end.at, cpu_seconds=used, steady_cpu_seconds=steady * seconds))

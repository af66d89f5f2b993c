"""What the local Prometheus is told: its configuration, its targets and its command line, as text. Pure.

The targets are a file that Prometheus watches, so replicas come and go without a reload. Prometheus takes changes of it over
only every five seconds, whatever its settings (measured with 2.42 and 3.5, after a start too): a replica is scraped first up
to 6 s after it was listed, so it pays to list it as soon as its address is known. Nothing is lost by it, as counters are
read from zero.

A target is listed with its slot and version so that `up` has them even while the replica does not answer. The replica's own
metrics carry the same labels; `honor_labels` keeps those, where else they would be stored as `exported_slot` and
`exported_version` beside the listed ones.

A labctl that performs a run is a target of its own while it does. The proxy is asked for the statistics that tell of users
and slots alone: all of them would be most of what Prometheus stores.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from strategies.traffic import Slot

JOB = "model-api"
LABCTL_JOB = "labctl"
PROXY_STATISTICS = (
    r"^(http\.gateway\.downstream_(rq|cx)_"
    r"|cluster\.(blue|green)\.(membership_(healthy|total)$"
    r"|upstream_(rq_(total|active|pending_active|timeout|retry|rx_reset|time|[1-5]xx)|cx_(active|connect_fail))$))"
)
"""Of the proxy's statistics, by the names they have before they become metrics."""
RETENTION = "6h"
"""Longer than any run; reports are written at its end."""


class Target(msgspec.Struct, frozen=True):
    """A replica to scrape: `address` is "host:port", which becomes its label `instance`."""

    address: str
    slot: Slot
    version: str


def config(targets: Path, scrape_interval: float = 1.0, *, labctl: Path | None = None, proxy: str = "", rules: Path | None = None) -> str:
    """The text of prometheus.yml: every `scrape_interval` seconds scrape what the file `targets` (absolute, ends in .json) lists.

    Args:
        targets: lists the replicas.
        scrape_interval: seconds.
        labctl: lists the labctl that performs a run, in the same way.
        proxy: "host:port" of the proxy's admin endpoint.
        rules: a folder of recording and alerting rules.

    Raises:
        ValueError: the interval is too short for the millisecond that Prometheus counts in.
    """
    milliseconds = round(scrape_interval * 1000)
    # a scrape must have ended before the next one begins
    timeout = milliseconds * 4 // 5
    if timeout < 1:
        raise ValueError(f"a scrape interval is at least 0.002 seconds, not {scrape_interval}")
    text = f"""\
global:
  scrape_interval: {milliseconds}ms
  scrape_timeout: {timeout}ms
  evaluation_interval: 5s
scrape_configs:
  - job_name: {JOB}
    honor_labels: true
    file_sd_configs:
      - files: [{json.dumps(str(targets))}]
        # changes are noticed at once by a watch; this is for file systems without one
        refresh_interval: 1s
"""
    if labctl:
        text += f"""\
  - job_name: {LABCTL_JOB}
    file_sd_configs:
      - files: [{json.dumps(str(labctl))}]
        refresh_interval: 1s
"""
    if proxy:
        text += f"""\
  - job_name: gateway
    metrics_path: /stats/prometheus
    params:
      filter: [{json.dumps(PROXY_STATISTICS)}]
    static_configs:
      - targets: [{json.dumps(proxy)}]
"""
    if rules:
        text += f"rule_files: [{json.dumps(str(rules / '*.yaml'))}]\n"
    return text


def targets_file(targets: Iterable[Target]) -> str:
    """The text of the targets' file. Replace the file by a rename, so that Prometheus never reads half of it."""
    return json.dumps(
        [{"targets": [target.address], "labels": {"slot": target.slot, "version": target.version}} for target in targets], indent=2
    )


def labctl_file(address: str = "") -> str:
    """The text of the file that lists a labctl which performs a run, at `address` ("host:port"); none if it is empty."""
    return json.dumps([{"targets": [address]}] if address else [])


def command(binary: Path, config_file: Path, data_dir: Path, port: int) -> tuple[str, ...]:
    """The command line of a Prometheus that only this machine reaches, for 2.42 and 3.x.

    No flag about lock files: Debian's 2.42 has none and the project's own takes a stale lock over.
    """
    return (
        str(binary),
        f"--config.file={config_file}",
        f"--storage.tsdb.path={data_dir}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )


def ready_url(port: int) -> str:
    """Answers 200 to a GET once the Prometheus at `port` takes queries, 503 before."""
    return f"http://127.0.0.1:{port}/-/ready"

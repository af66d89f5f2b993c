"""What the local Prometheus is told: its configuration, its targets and its command line, as text. Pure.

The targets are a file that Prometheus watches, so replicas come and go without a reload. Prometheus takes changes of it over
only every five seconds, whatever its settings (measured with 2.42 and 3.5, after a start too): a replica is scraped first up
to 6 s after it was listed, so it pays to list it as soon as its address is known. Nothing is lost by it, as counters are
read from zero.

A target is listed with its slot and version so that `up` has them even while the replica does not answer. The replica's own
metrics carry the same labels; `honor_labels` keeps those, where else they would be stored as `exported_slot` and
`exported_version` beside the listed ones.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from strategies.traffic import Slot

JOB = "model-api"
RETENTION = "6h"
"""Longer than any run; reports are written at its end."""


class Target(msgspec.Struct, frozen=True):
    """A replica to scrape: `address` is "host:port", which becomes its label `instance`."""

    address: str
    slot: Slot
    version: str


def config(targets: Path, scrape_interval: float = 1.0) -> str:
    """The text of prometheus.yml: every `scrape_interval` seconds scrape what the file `targets` (absolute, ends in .json) lists.

    Raises:
        ValueError: the interval is too short for the millisecond that Prometheus counts in.
    """
    milliseconds = round(scrape_interval * 1000)
    # a scrape must have ended before the next one begins
    timeout = milliseconds * 4 // 5
    if timeout < 1:
        raise ValueError(f"a scrape interval is at least 0.002 seconds, not {scrape_interval}")
    return f"""\
global:
  scrape_interval: {milliseconds}ms
  scrape_timeout: {timeout}ms
scrape_configs:
  - job_name: {JOB}
    honor_labels: true
    file_sd_configs:
      - files: [{json.dumps(str(targets))}]
        # changes are noticed at once by a watch; this is for file systems without one
        refresh_interval: 1s
"""


def targets_file(targets: Iterable[Target]) -> str:
    """The text of the targets' file. Replace the file by a rename, so that Prometheus never reads half of it."""
    return json.dumps(
        [{"targets": [target.address], "labels": {"slot": target.slot, "version": target.version}} for target in targets], indent=2
    )


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

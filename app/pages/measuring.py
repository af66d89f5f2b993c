"""What a page's code waits for, without the page: `python -m app.pages.measuring STRATEGY --for SECONDS [--also PID]`.

Asks the way the page asks, one case after the other, and prints one JSON document. Exit codes: 0; 3 there was no answer, and the
sentence on stderr is the one that the page shows.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import psutil

from app.artifact import MODELS, read
from app.choice import read_choice
from app.errors import AppError
from app.loading import load_from
from app.pages.asking import Answering, InProcess
from app.pages.calling import Service
from app.pages.cases import HoldoutCase, holdout
from app.pages.configuration import Configuration
from app.pages.looking_up import newest
from app.predictions.database import open_database
from app.publishing import HOLDOUT_FILE
from app.store import load

STRATEGIES = ("embedded", "data", "service", "database")
Ask = Callable[[int, HoldoutCase], str]
"""From a case and its row to the version that answered."""


def asking(strategy: str, configuration: Configuration) -> Ask:
    """How a page of that strategy asks; whatever it does once, at its start, has been done.

    Raises:
        AppError: it cannot start.
    """
    artifact = configuration.artifact
    if strategy == "database":
        engine = open_database(configuration.database, writes=False)
        return lambda row, _case: newest(engine, artifact / MODELS / HOLDOUT_FILE, row).prediction.version
    served: Answering
    match strategy:
        case "embedded":
            served = InProcess(load(artifact / MODELS, read(artifact).model), strategy)
        case "data":
            choice = read_choice(configuration.config)
            served = InProcess(load_from(choice.store, choice.version, choice.sha256), strategy)
        case _:
            served = Service(configuration.api, configuration.api_key.get_secret_value())
    return lambda _row, case: served.ask(case.features).version


def measure(strategy: str, seconds: float, also: Sequence[int]) -> dict[str, float | str]:
    """Ask for some seconds, at least once.

    Args:
        strategy: one of `STRATEGIES`.
        seconds: how long.
        also: processes whose processor time counts as well, such as the service's.

    Raises:
        AppError: a case was not answered.
    """
    configuration = Configuration.from_environment()
    cases = list(holdout(configuration.artifact / MODELS).values())
    processes = [psutil.Process(pid) for pid in (psutil.Process().pid, *also)]
    ask = asking(strategy, configuration)
    version = ask(0, cases[0])
    latencies: list[float] = []
    cpu, began = _cpu(processes), time.perf_counter()
    while not latencies or time.perf_counter() - began < seconds:
        row = len(latencies) % len(cases)
        asked = time.perf_counter()
        version = ask(row, cases[row])
        latencies.append(time.perf_counter() - asked)
    took = time.perf_counter() - began
    return {
        "version": version,
        "predictions": len(latencies),
        "p50_seconds": float(np.percentile(latencies, 50)),
        "p99_seconds": float(np.percentile(latencies, 99)),
        "per_second": len(latencies) / took,
        # the system counts processor time in hundredths of a second
        "per_cpu_second": len(latencies) / max(_cpu(processes) - cpu, 0.01),
    }


def _cpu(processes: Sequence[psutil.Process]) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m app.pages.measuring", description="What a page's code waits for.")
    parser.add_argument("strategy", choices=STRATEGIES)
    parser.add_argument("--for", dest="seconds", type=float, default=3.0, help="how long to ask (default %(default)s)")
    parser.add_argument("--also", type=int, action="append", default=[], metavar="PID", help="a process that counts as well")
    options = parser.parse_args(arguments)
    try:
        print(json.dumps(measure(options.strategy, options.seconds, options.also)))  # noqa: T201  the answer
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

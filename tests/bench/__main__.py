"""`make bench`: exact figures of the promises that name seconds, and of the sequential test's error rates."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.labctl import PROGRAM, Labctl
from tests.e2e.steering import steered

REPEATS = 5
STEERED = 3
"""How often every word is said."""


def rollback_seconds(store: Path, folder: Path) -> None:
    """From the verdict to the last request charged to the candidate: the promise is at most 1 s."""
    labctl = Labctl(folder, store)
    assert labctl.run("up").returncode == 0
    try:
        for bad in ("v2-broken", "v2-slow", "v2-wrong"):
            summaries = [labctl.rollout("--to", bad, "--hold", "30s", "--seed", str(seed), code=1) for seed in range(REPEATS)]
            late = [summary["rollback_seconds"] for summary in summaries]
            met = [phase["seconds"] for summary in summaries for phase in summary["phases"] if phase["name"] == "25 %"]
            print(
                f"{bad}: verdict to last request of the candidate, median {statistics.median(late):.3f} s, at worst {max(late):.3f} s; "
                f"exposed for {statistics.median(met):.1f} s in the median"
            )
    finally:
        labctl.end()


def steering_seconds(store: Path, folder: Path) -> None:
    """From the start of a word's labctl to its answer and to its effect: the promise is at most 2 s for each."""
    labctl = Labctl(folder, store)
    assert labctl.run("up").returncode == 0
    try:
        rounds = [steered(labctl) for _ in range(STEERED)]
        for word in rounds[0]:
            answers, effects = ([seconds[word][part] for seconds in rounds] for part in (0, 1))
            print(
                f"{word}: answered after {statistics.median(answers):.2f} s in the median, {max(answers):.2f} s at worst; "
                f"effect after {statistics.median(effects):.2f} s, {max(effects):.2f} s at worst"
            )
    finally:
        labctl.end()


def help_seconds() -> None:
    """`labctl --help` answers well under half a second."""
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run([*PROGRAM, "--help"], stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - start)
    print(f"labctl --help: median {statistics.median(took):.2f} s, at worst {max(took):.2f} s")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "models"
        subprocess.run([sys.executable, "-m", "app.training", "--store", str(store)], check=True, stdout=subprocess.DEVNULL)
        help_seconds()
        steering_seconds(store, Path(folder) / "steering")
        rollback_seconds(store, Path(folder))
    subprocess.run([sys.executable, "-m", "tests.bench.sequential_rates"], check=True)


main()

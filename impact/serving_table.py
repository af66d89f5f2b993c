"""The comparison of the serving strategies as Markdown, from what was measured."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

COLUMNS = {
    "fresh_seconds": ("new data to prediction", 1000.0, "ms"),
    "p50_seconds": ("p50", 1000.0, "ms"),
    "p99_seconds": ("p99", 1000.0, "ms"),
    "per_second": ("predictions/s", 1.0, ""),
    "per_cpu_second": ("per CPU-second", 1.0, ""),
    "rss_bytes": ("memory", 1e-6, "MB"),
    "switch_seconds": ("switching the model", 1.0, "s"),
    "switch_restarts": ("restarts", 1.0, ""),
    "switch_bytes": ("bytes moved", 1e-3, "kB"),
}


def render(measured: Mapping[str, Any]) -> str:
    """Two tables: what each strategy costs, as median and range of the repeats; and what fails when something is down."""
    lines = [
        "# Serving strategies, measured",
        "",
        f"`{measured['command']}` · {measured['began']} · {measured['repeats']} repeats · median (range).",
        "The latency is what the page's code waits for, without its browser. The batch predicts "
        f"{measured['rows']} new rows; its time from new data to prediction is that of the whole file.",
        "",
        "| strategy | " + " | ".join(title for title, _, _ in COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for strategy, repeats in measured["strategies"].items():
        lines.append(
            f"| {strategy} | " + " | ".join(_cell([one.get(key) for one in repeats], *how[1:]) for key, how in COLUMNS.items()) + " |"
        )
    down = measured["down"]
    lines += ["", "What a page that starts meanwhile says:", "", "| strategy | " + " | ".join(f"{name} down" for name in down) + " |"]
    lines.append("|---" * (len(down) + 1) + "|")
    strategies = list(next(iter(down.values())))
    lines += [f"| {strategy} | " + " | ".join(said[strategy] for said in down.values()) + " |" for strategy in strategies]
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float | None], factor: float, unit: str) -> str:
    known = [factor * value for value in values if value is not None]
    if not known:
        return "–"
    if min(known) == max(known):
        return f"{known[0]:.3g} {unit}".strip() if known[0] < 1000 else f"{known[0]:,.0f} {unit}".strip()
    low, middle, high = (f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in (min(known), median(known), max(known)))
    return f"{middle} ({low}–{high}) {unit}".strip()

"""Two runs side by side: the same figures of each, in the same words as in their own reports."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from impact import wording
from impact.figures import MetricVerdict
from impact.summary import Summary

Row = tuple[str, str, str]


def compare(first: Summary, second: Summary) -> list[Row]:
    """What is compared and its value in each run; the first row names the runs."""
    rows = [
        ("run", first.id, second.id),
        ("outcome", wording.headline(first), wording.headline(second)),
        ("why", first.reason, second.reason),
    ]
    rows += [(name, value, other) for (name, value), (_, other) in zip(wording.totals(first), wording.totals(second), strict=True)]
    rows += [(f"{name}, old version / new", _latencies(first, name), _latencies(second, name)) for name in ("p50", "p95", "p99")]
    rows.append(("slow is longer than", wording.duration(first.objective_seconds), wording.duration(second.objective_seconds)))
    return [*rows, *_verdicts(first, second)]


def page(rows: list[Row], *, linked: bool = False) -> str:
    """The rows as a self-contained HTML page; `linked` to the runs' own pages where those are served."""
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined)
    return templates.get_template("compare.html.j2").render(head=rows[0], rows=rows[1:], linked=linked)


def _latencies(summary: Summary, name: str) -> str:
    """A percentile of both versions' answers over the whole run; of one where there was one."""
    old, new = (wording.milliseconds(getattr(version, f"{name}_ms")) for version in (summary.versions.old, summary.versions.new))
    return f"{old} ms" if summary.from_version == summary.to_version else f"{old} / {new} ms"


def _verdicts(first: Summary, second: Summary) -> Iterator[Row]:
    """What was judged last of each metric, in the order in which it came up."""
    mine, theirs = ({verdict.metric: _said(verdict) for verdict in summary.verdicts} for summary in (first, second))
    for metric in dict.fromkeys((*mine, *theirs)):
        yield f"judged: {metric}", mine.get(metric, wording.UNKNOWN), theirs.get(metric, wording.UNKNOWN)


def _said(verdict: MetricVerdict) -> str:
    counts = f"{verdict.candidate.bad} of {verdict.candidate.n} against {verdict.stable.bad} of {verdict.stable.n}"
    return f"{verdict.verdict} at {verdict.phase}: {counts}"

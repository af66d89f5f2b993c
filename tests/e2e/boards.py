"""The dashboards' queries, asked of a live Prometheus as Grafana would ask them."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from math import isnan, nan
from typing import Any, NamedTuple

import httpx

from dashboards import generated

SCRAPED = 1.0
"""Seconds between two scrapes, as Grafana's data source is told of them, on a cluster and locally."""
POINTS = 1000
"""How many points a panel has at most: about its width on a screen."""
ROUND = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds that Grafana rounds a step to."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
ONLY_WITH_BATCHES = "model_batch_"
ONLY_WITH_FAILURES = 'envoy_response_code_class!="2"'
"""Parts of queries that have nothing to show in a good rollout."""

Series = list[dict[str, Any]]


class Asked(NamedTuple):
    """A query of a panel or an annotation with its variables filled in; `step` and `span` are seconds, for a value of now they are 0."""

    board: str
    panel: str
    expr: str
    span: float
    step: float

    @property
    def of_batches(self) -> bool:
        """Whether it has nothing to show before a batch has run."""
        return ONLY_WITH_BATCHES in self.expr

    @property
    def of_failures(self) -> bool:
        """Whether it has nothing to show in a good rollout."""
        return ONLY_WITH_FAILURES in self.expr


def queries() -> Iterator[Asked]:
    """Every query of every dashboard to Prometheus, over the time that the dashboard shows at first."""
    for name in generated.BOARDS:
        model = json.loads(generated.text(name))
        span = _seconds(model["time"]["from"].removeprefix("now-"))
        for panel in model["panels"]:
            for target in panel["targets"]:
                if "expr" in target:
                    yield _filled(name, panel["title"], target, span)
        for annotation in model.get("annotations", {}).get("list", []):
            yield _filled(name, annotation["name"], annotation, span)


def query(board: str, panel: str, part: str) -> Asked:
    """The one query of a panel that has `part` in it."""
    (found,) = (asked for asked in queries() if (asked.board, asked.panel) == (board, panel) and part in asked.expr)
    return found


def _filled(board: str, panel: str, target: dict[str, Any], span: float) -> Asked:
    """What Grafana puts in for its variables.

    A query's own interval says how often its metrics are scraped, else the data source does. The window of a rate has at least four
    scrapes, and reaches from one point back beyond the one before.
    """
    every = _seconds(target["interval"]) if "interval" in target else SCRAPED
    step = max(every, min(ROUND, key=lambda seconds: abs(seconds - span / POINTS)))
    window = max(step + every, 4 * every)
    variables = {"$__rate_interval": f"{window:.0f}s", "$__range": f"{span:.0f}s", "$run": ".*"}
    expr = re.sub(r"\$\w+", lambda variable: variables[variable[0]], target["expr"])
    return Asked(board, panel, expr, *((0, 0) if target.get("instant") else (span, step)))


def _seconds(duration: str) -> float:
    return float(duration[:-1]) * UNITS[duration[-1]]


def ask(prometheus: str, expr: str, client: httpx.Client | None = None) -> Series:
    """An instant query's series; an error fails the test."""
    return _series(f"{prometheus}/api/v1/query", {"query": expr}, client)


def shown(prometheus: str, asked: Asked, client: httpx.Client | None = None) -> Series:
    """The series that a panel shows; one that is not a number anywhere fails the test, as people would see it as `NaN`."""
    if not asked.step:
        series = ask(prometheus, asked.expr, client)
    else:
        # Grafana lets the last point be a whole step back; here it is now, so that nothing has to be waited for
        end = time.time()
        times = {"start": end - asked.span // asked.step * asked.step, "end": end, "step": asked.step}
        series = _series(f"{prometheus}/api/v1/query_range", {"query": asked.expr, **times}, client)
    wrong = [one["metric"] for one in series if any(isnan(float(value)) for _, value in one.get("values") or [one["value"]])]
    assert not wrong, f"{asked} shows NaN for {wrong}"
    return series


def _series(url: str, parameters: dict[str, Any], client: httpx.Client | None) -> Series:
    get = client.get if client else partial(httpx.get, trust_env=False, timeout=30)
    answer = get(url, params=parameters).json()
    assert answer["status"] == "success", f"{parameters}: {answer}"
    series: Series = answer["data"]["result"]
    return series


def number(prometheus: str, expr: str) -> float:
    """The value of a query that has one series; not a number without any."""
    series = ask(prometheus, expr)
    return float(series[0]["value"][1]) if len(series) == 1 else nan


def newest(prometheus: str, asked: Asked, **labels: str) -> float:
    """The end of a panel's line that has these labels; not a number while there is no such line."""
    lines = [one for one in shown(prometheus, asked) if labels.items() <= one["metric"].items()]
    return float(lines[0]["values"][-1][1]) if len(lines) == 1 else nan


def wait_for_series(prometheus: str, seconds: float, *, rollout: bool = True, batches: bool = False) -> None:
    """Return once every query has series that a good rollout under load, and batches that have run, must have something for."""
    missing = [asked for asked in queries() if not asked.of_failures and (batches if asked.of_batches else rollout)]
    assert missing
    deadline = time.monotonic() + seconds
    # one connection for all: on a busy machine each new one takes time that the rollout does not wait for
    with httpx.Client(trust_env=False, timeout=30) as client:
        while missing := [asked for asked in missing if not shown(prometheus, asked, client)]:
            assert time.monotonic() < deadline, f"no series after {seconds:g} s for {missing}"
            time.sleep(0.2)


def wait_until_gone(prometheus: str, expr: str, seconds: float) -> None:
    """Return once a query has no series any more."""
    deadline = time.monotonic() + seconds
    while found := ask(prometheus, expr):
        assert time.monotonic() < deadline, f"after {seconds:g} s still shown: {found}"
        time.sleep(0.2)

"""The dashboards' queries, asked of a live Prometheus as Grafana would ask them."""

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from math import nan
from typing import Any, NamedTuple

import httpx

from dashboards import generated

VARIABLES = {"$__rate_interval": "10s", "$__range": "15m", "$run": ".*"}
"""What Grafana puts in for a data source that is scraped every second."""
ONLY_WITH_BATCHES = "model_batch_"
ONLY_WITH_FAILURES = 'envoy_response_code_class!="2"'
"""Parts of queries that have nothing to show in a good rollout."""


class Asked(NamedTuple):
    """A query of a panel or an annotation."""

    board: str
    panel: str
    expr: str

    @property
    def must_have_series(self) -> bool:
        """Whether a rollout under load must have something for it."""
        return ONLY_WITH_BATCHES not in self.expr and ONLY_WITH_FAILURES not in self.expr


def queries() -> Iterator[Asked]:
    """Every query of every dashboard to Prometheus, with its variables filled in."""
    for name in generated.BOARDS:
        model = json.loads(generated.text(name))
        found = [(panel["title"], target["expr"]) for panel in model["panels"] for target in panel["targets"] if "expr" in target]
        found += [(annotation["name"], annotation["expr"]) for annotation in model.get("annotations", {}).get("list", [])]
        for panel, expr in found:
            filled = re.sub(r"\$\w+", lambda variable: VARIABLES[variable[0]], expr)
            yield Asked(name, panel, filled)


def ask(prometheus: str, expr: str, client: httpx.Client | None = None) -> list[dict[str, Any]]:
    """An instant query's series; an error fails the test."""
    get = client.get if client else partial(httpx.get, trust_env=False, timeout=30)
    answer = get(f"{prometheus}/api/v1/query", params={"query": expr}).json()
    assert answer["status"] == "success", f"{expr}: {answer}"
    series: list[dict[str, Any]] = answer["data"]["result"]
    return series


def number(prometheus: str, expr: str) -> float:
    """The value of a query that has one series; not a number without any."""
    series = ask(prometheus, expr)
    return float(series[0]["value"][1]) if len(series) == 1 else nan


def wait_for_series(prometheus: str, seconds: float) -> None:
    """Return once every query that must have series has some."""
    missing = [asked for asked in queries() if asked.must_have_series]
    deadline = time.monotonic() + seconds
    # one connection for all: on a busy machine each new one takes time that the rollout does not wait for
    with httpx.Client(trust_env=False, timeout=30) as client:
        while missing := [asked for asked in missing if not ask(prometheus, asked.expr, client)]:
            assert time.monotonic() < deadline, f"no series after {seconds:g} s for {missing}"
            time.sleep(0.2)


def wait_until_gone(prometheus: str, expr: str, seconds: float) -> None:
    """Return once a query has no series any more."""
    deadline = time.monotonic() + seconds
    while shown := ask(prometheus, expr):
        assert time.monotonic() < deadline, f"after {seconds:g} s still shown: {shown}"
        time.sleep(0.2)

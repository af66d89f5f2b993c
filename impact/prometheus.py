"""The second witness: what the replicas counted themselves, asked of Prometheus over HTTP.

Counts are differences of raw samples, not rate() or increase(): those extrapolate to the window's edges, so they give
fractions of requests and miss the first value of a counter that appeared inside the window. Here a count runs from the last
scrape at or before `since` to the last one at or before `until`. So it lags by up to one scrape at either end, but adjoining
windows add up to exactly what was counted.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from math import ceil
from string import Template
from types import TracebackType
from typing import Self

import httpx
import msgspec

from impact.served import failures
from strategies.errors import WitnessLost
from strategies.judgement import Count
from strategies.traffic import Slot

PROMQL = {
    "up": Template('up{job="model-api"}'),
    "recently_up": Template('max_over_time(up{job="model-api"}[${recent}ms])'),
    "age": Template('time() - timestamp(up{job="model-api"})'),
    "scrapes": Template('up{job="model-api",slot="$slot"}[${window}ms]'),
    "requests": Template('model_api_requests_total{job="model-api",slot="$slot",handler="/predict",mirrored="$mirrored"}[${window}ms]'),
    "durations": Template(
        'model_api_request_duration_seconds_bucket{job="model-api",slot="$slot",handler="/predict",mirrored="$mirrored"}[${window}ms]'
    ),
    "in_flight": Template('sum(model_api_in_flight_requests{job="model-api",slot="$slot"})'),
    "dropped": Template('sum by (slot) (model_api_prediction_log_dropped_total{job="model-api"})'),
    "mirrored": Template('sum(model_api_requests_total{job="model-api",slot="$slot",mirrored="true"})'),
    "cpu": Template('process_cpu_seconds_total{job="model-api"}[${window}ms]'),
}
"""Everything that is asked; ages are by Prometheus's own clock, which need not agree with ours."""

MISSED_SCRAPES = 3
"""So many scrapes in a row must fail until a replica counts as unseen: on a busy machine a single one now and then takes too long."""

STALE_SCRAPES = 5
"""A newest sample older than this many scrape intervals is stale."""

LOOKBACK_SCRAPES = 60
"""How many scrape intervals before a window the sample that it counts from is looked for."""

GRACE_SECONDS = 12.0
"""How long a replica may have been ready without a scrape: Prometheus takes new targets over in two stages, each every 5 s."""


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None
    values: tuple[tuple[float, str], ...] = ()


class _Data(msgspec.Struct):
    result: tuple[_Series, ...]


class _Answer(msgspec.Struct):
    data: _Data | None = None
    error: str = ""


def increase(samples: Iterable[tuple[float, float]], since: float, until: float) -> float | None:
    """How much one counter grew, by its (time, value) samples in order of time; None without a sample in (since, until].

    Counts from the last sample at or before `since`, or from zero if there is none: the counter appeared inside the window.
    A value below the one before it means that the replica began again from zero.
    """
    before = 0.0
    total = None
    for time, value in samples:
        if since < time <= until:
            total = (total or 0.0) + (value - before if value >= before else value)
        if time <= until:
            before = value
    return total


class PrometheusWitness:
    """Asks the Prometheus at `url`, which scrapes every `scrape_interval` seconds.

    Every question raises WitnessLost if it is not answered within `timeout` seconds.
    """

    def __init__(self, url: str, scrape_interval: float = 1.0, timeout: float = 3.0) -> None:
        self._url = url
        self._interval = scrape_interval
        # the machine's proxy settings are for the outside: a lab's Prometheus behind them would seem dead
        self._client = httpx.Client(base_url=url, timeout=timeout, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self, expected: Mapping[str, str]) -> None:
        """Verify that Prometheus sees each of the `expected` replicas, by instance ("127.0.0.1:port") to slot.

        Leave out the replicas that have been ready for less than GRACE_SECONDS.

        Raises:
            WitnessLost: Prometheus does not answer, or a replica's `up` is missing, 0 or stale; the sentence names each.
        """
        up = self._newest("up")
        # without a sample in so short a time the newest one counts, however old: whether it is too old is asked for itself
        up |= self._newest("recently_up", {"recent": str(ceil(MISSED_SCRAPES * self._interval * 1000))})
        age = self._newest("age")
        limit = STALE_SCRAPES * self._interval
        unseen = []
        for instance, slot in expected.items():
            replica = (instance, str(slot))
            if replica not in up or replica not in age:
                unseen.append(f"{slot} at {instance} is not among its targets")
            elif up[replica] != 1:
                unseen.append(f"{slot} at {instance} did not answer its last {MISSED_SCRAPES} scrapes")
            elif age[replica] > limit:
                unseen.append(f"{slot} at {instance} was last scraped {age[replica]:.1f} s ago, more than {limit:g} s")
        if unseen:
            raise WitnessLost(f"Prometheus does not see every ready replica ({'; '.join(unseen)}): look at {self._url}/targets")

    def counts(self, slot: Slot, since: datetime, until: datetime, *, mirrored: bool = False) -> Count | None:
        """Requests that the replicas of `slot` answered, failed (no 2xx) and all, as `answered`."""
        statuses = self.answered(slot, since, until, mirrored=mirrored)
        return None if statuses is None else failures(statuses)

    def answered(self, slot: Slot, since: datetime, until: datetime, *, mirrored: bool = False) -> dict[str, int] | None:
        """Users' requests (with `mirrored`: copies of such) that `slot` answered between two times, by status; None if not known.

        A slot without failures has no series for them. That counts as none failed, since their successes were read in the same
        scrapes; but a replica that could not be scraped at all in that time makes the counts unknown.
        """
        scrapes = self.scrapes(slot, since, until)
        if any(taken and not any(taken) for taken in scrapes):
            return None
        return self._grown("requests", "code", slot, since, until, mirrored=mirrored) or None

    def durations(self, slot: Slot, since: datetime, until: datetime, *, mirrored: bool = False) -> dict[float, int]:
        """How many of these requests took at most so many seconds, by the servers' histogram; empty if that is not known."""
        return {float(bound): n for bound, n in self._grown("durations", "le", slot, since, until, mirrored=mirrored).items()}

    def scrapes(self, slot: Slot, since: datetime, until: datetime) -> list[list[bool]]:
        """For each replica of `slot`, whether it answered its scrapes between two times, in their order."""
        start, end = since.timestamp(), until.timestamp()
        return [
            [value == "1" for time, value in series.values if start < time <= end]
            for series in self._ask("scrapes", self._window(slot, start, end), end)
        ]

    def in_flight(self, slot: Slot, at: datetime | None = None) -> int:
        """How many requests and copies the replicas of `slot` have got and not answered, as they were last scraped before `at` (now)."""
        series = self._ask("in_flight", {"slot": str(slot)}, None if at is None else at.timestamp())
        return round(float(series[0].value[1])) if series and series[0].value else 0

    def dropped(self) -> dict[Slot, float]:
        """By slot, how many records the replicas that are up could not put into the prediction log."""
        return {Slot(series.metric["slot"]): float(series.value[1]) for series in self._ask("dropped") if series.value}

    def mirrored(self, slot: Slot) -> int:
        """How many copies of users' requests the replicas of `slot` that are up have got since they started."""
        series = self._ask("mirrored", {"slot": str(slot)})
        return round(float(series[0].value[1])) if series and series[0].value else 0

    def cpu_seconds(self, since: datetime, until: datetime) -> float | None:
        """CPU-seconds that all replicas used between two times, starting included; None if none was scraped in between."""
        start, end = since.timestamp(), until.timestamp()
        used = [increase(samples, start, end) for samples in self._cpu(end - start + LOOKBACK_SCRAPES * self._interval, end)]
        known = [seconds for seconds in used if seconds is not None]
        return sum(known) if known else None

    def cpu_rate(self, since: datetime, until: datetime) -> float | None:
        """CPU-seconds per second of all replicas between two times; None if one of them was scraped less than twice in between."""
        rates = []
        for samples in self._cpu((until - since).total_seconds(), until.timestamp()):
            (first, before), (last, after) = samples[0], samples[-1]
            if first == last:
                return None
            rates.append((after - before) / (last - first))
        return sum(rates) if rates else None

    def _grown(self, query: str, label: str, slot: Slot, since: datetime, until: datetime, *, mirrored: bool) -> dict[str, int]:
        """By how much the counters of `slot` grew between two times, those together that have the same `label`."""
        start, end = since.timestamp(), until.timestamp()
        grown: dict[str, int] = {}
        for series in self._ask(query, self._window(slot, start, end) | {"mirrored": str(mirrored).lower()}, end):
            more = increase(((time, float(value)) for time, value in series.values), start, end)
            if more is not None:
                grown[series.metric[label]] = grown.get(series.metric[label], 0) + round(more)
        return grown

    def _window(self, slot: Slot, start: float, end: float) -> dict[str, str]:
        return {"slot": str(slot), "window": str(ceil((end - start + LOOKBACK_SCRAPES * self._interval) * 1000))}

    def _cpu(self, seconds: float, at: float) -> list[list[tuple[float, float]]]:
        """Each replica's (time, CPU-seconds since its start), for as many seconds up to `at`."""
        series = self._ask("cpu", {"window": str(ceil(seconds * 1000))}, at)
        return [[(time, float(value)) for time, value in one.values] for one in series if one.values]

    def _newest(self, query: str, parameters: Mapping[str, str] = {}) -> dict[tuple[str, str], float]:
        """An instant query's values by instance and slot."""
        return {
            (series.metric.get("instance", ""), series.metric.get("slot", "")): float(series.value[1])
            for series in self._ask(query, parameters)
            if series.value
        }

    def _ask(self, query: str, parameters: Mapping[str, str] = {}, at: float | None = None) -> tuple[_Series, ...]:
        asked = {"query": PROMQL[query].substitute(parameters)} | ({} if at is None else {"time": f"{at:.3f}"})
        try:
            response = self._client.get("/api/v1/query", params=asked)
            answer = msgspec.json.decode(response.content, type=_Answer)
        except httpx.HTTPError as exc:
            raise WitnessLost(
                f"Prometheus at {self._url} does not answer ({exc or type(exc).__name__}): see whether it still runs"
            ) from exc
        except msgspec.DecodeError as exc:
            raise WitnessLost(
                f"{self._url} answers {response.status_code}, but not as Prometheus does ({exc}): see whether it still runs"
            ) from exc
        if answer.data is None:
            raise WitnessLost(f"Prometheus at {self._url} refused the query {asked['query']}: {answer.error}")
        return answer.data.result

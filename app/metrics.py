"""What Prometheus is told of a replica, and the ASGI layer that counts requests.

Mirrored requests are counted apart: nobody waits for their answers. A proxy marks them by the suffix "-shadow" that
it appends to the host of the Host header. Probes and scrapes are not counted, or an idle replica would look busy.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.card import ModelCard

PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
PREDICT = "/predict"

BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0)
"""Seconds. Measured one at a time v1, v2 and v2-wrong answer in 1 to 2 ms, v2-broken in 2 to 4, v2-slow in 0.31 s."""


SCORES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Probabilities; the likelier of two classes has at least a half."""


class Metrics:
    """A replica's own registry, so that several replicas can live in one process."""

    def __init__(self, card: ModelCard, slot: str) -> None:
        # otherwise a second series for each, which nobody asks for
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client does not annotate it
        self.registry = CollectorRegistry()
        self._own = {"version": card.version, "slot": slot}
        who = tuple(self._own)
        self._requests = Counter("model_api_requests", "Requests answered.", (*who, "mirrored", "handler", "code"), registry=self.registry)
        self._duration = Histogram(
            "model_api_request_duration_seconds",
            "From the request's headers to the answer's.",
            (*who, "mirrored", "handler"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._predictions = Counter(
            "model_api_predictions", "Predictions made, by class.", (*who, "mirrored", "prediction"), registry=self.registry
        )
        self.log_dropped = Counter(
            "model_api_prediction_log_dropped", "Predictions that the prediction log could not take.", who, registry=self.registry
        ).labels(**self._own)
        self.feedback = Counter(
            "model_api_feedback", "Truths taken in, by who took them, whoever predicted.", who, registry=self.registry
        ).labels(**self._own)
        self._score = Histogram(
            "model_api_prediction_score",
            "The probability of the class that was predicted.",
            (*who, "mirrored"),
            buckets=SCORES,
            registry=self.registry,
        )
        self.in_flight = Gauge("model_api_in_flight_requests", "Requests being answered.", who, registry=self.registry).labels(**self._own)
        Gauge(
            "model_api_model_info",
            "The model that is served; always 1.",
            (*who, "model", "sha256", "scikit_learn"),
            registry=self.registry,
        ).labels(**self._own, model=card.name, sha256=card.sha256, scikit_learn=card.libraries["scikit-learn"]).set(1)
        ProcessCollector(registry=self.registry)
        # a counter that appears with its first event hides that event from whoever takes differences
        for mirrored in ("false", "true"):
            self._duration.labels(**self._own, mirrored=mirrored, handler=PREDICT)
            self._score.labels(**self._own, mirrored=mirrored)
            for code in ("200", "422", "500"):
                self._requests.labels(**self._own, mirrored=mirrored, handler=PREDICT, code=code)
            for prediction in card.classes:
                self._predictions.labels(**self._own, mirrored=mirrored, prediction=prediction)

    def answered(self, *, mirrored: bool, handler: str, code: int, seconds: float) -> None:
        """One request has been answered with status `code` after `seconds`."""
        of = {**self._own, "mirrored": str(mirrored).lower(), "handler": handler}
        self._requests.labels(**of, code=str(code)).inc()
        self._duration.labels(**of).observe(seconds)

    def predicted(self, prediction: str, *scores: float, mirrored: bool) -> None:
        """Predictions of this class have been made, each with its score, the probability (0..1) of the class."""
        of = {**self._own, "mirrored": str(mirrored).lower()}
        self._predictions.labels(**of, prediction=prediction).inc(len(scores))
        for score in scores:
            self._score.labels(**of).observe(score)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format 0.0.4, which every Prometheus reads."""
        return generate_latest(self.registry)


def is_mirrored(scope: Scope) -> bool:
    """Whether a proxy made this request as the copy of another."""
    host = Headers(scope=scope).get("host", "")
    return host.partition(":")[0].lower().endswith("-shadow")


class Counted:
    """ASGI layer that counts and times every request but probes."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count its answer."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def count_and_send(message: Message) -> None:
            # counted before it is sent: who has the answer finds it in the next scrape
            if message["type"] == "http.response.start":
                self._metrics.answered(
                    mirrored=is_mirrored(scope),
                    # the route's template and never the path, which anyone can make up: each label value costs memory for ever
                    handler=getattr(scope.get("route"), "path", "other"),
                    code=message["status"],
                    seconds=time.perf_counter() - started,
                )
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            await self._app(scope, receive, count_and_send)

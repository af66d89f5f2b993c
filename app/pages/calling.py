"""The service, called with requests: bounded in time, tried again where that can help, its failures as sentences.

A prediction changes nothing, so it may be asked for twice. What is tried again is what passes: no connection, and 502 to 504. A
500 is the model's own answer to this case, and would be the same again; and who has waited in vain for an answer is told so at once.
"""

import time
from collections.abc import Mapping
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from app.card import Feature
from app.errors import ServiceFailed
from app.pages.asking import Answer

CONNECT_SECONDS, READ_SECONDS = 2.0, 5.0


class Passing(Retry):
    """Tries again what passes. An answer that does not come in time is no such thing: whoever waits would wait three times as long."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        *more: Any,
        **named: Any,
    ) -> Self:
        """What is left to try.

        Raises:
            ReadTimeoutError: the answer did not come in time.
        """
        if isinstance(error, ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, *more, **named)


RETRIES = Passing(
    total=2,
    backoff_factor=0.2,
    status_forcelist=(502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
    # whoever stands before the service may ask for minutes, which nobody waits for at a page
    respect_retry_after_header=False,
)
"""Waits 0.4 s before the second of them: a replica that is being replaced has a successor by then."""


class Service:
    """The model API behind a URL. Keeps its connections, so one is best kept for a page's life.

    Args:
        url: where it is.
        key: what it asks for; empty if it asks for none.
        seconds: in which it must answer.
    """

    def __init__(self, url: str, key: str = "", seconds: float = READ_SECONDS) -> None:
        self.url = url.rstrip("/")
        self._seconds = seconds
        self._session = requests.Session()
        # a proxy of the environment is for the world outside, and would not find a loopback address
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(max_retries=RETRIES))
        self._session.mount("https://", HTTPAdapter(max_retries=RETRIES))
        if key:
            self._session.headers["x-api-key"] = key

    def features(self) -> tuple[Feature, ...]:
        """What the service says that it takes, in its OpenAPI description.

        Raises:
            ServiceFailed: it does not answer, or does not say.
        """
        document, _ = self._call("GET", "/openapi.json")
        try:
            body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
            described = body["properties"]["features"]["properties"]
            return tuple(Feature(name=name, minimum=limits["minimum"], maximum=limits["maximum"]) for name, limits in described.items())
        except (LookupError, TypeError, ValueError) as exc:
            raise ServiceFailed(f"{self.url} does not say which features it takes: is it the model API?") from exc

    def ask(self, features: Mapping[str, float]) -> Answer:
        """The service's answer.

        Raises:
            ServiceFailed: there is none, or it refuses the case.
        """
        answer, seconds = self._call("POST", "/predict", json={"features": dict(features)})
        try:
            return Answer(answer["prediction"], answer["probabilities"], answer["version"], f"the service at {self.url}", seconds)
        except (LookupError, TypeError) as exc:
            raise ServiceFailed(f"{self.url} answers with something that is no prediction: is it the model API?") from exc

    def _call(self, method: str, path: str, **options: Any) -> tuple[dict[str, Any], float]:
        began = time.perf_counter()
        try:
            response = self._session.request(method, self.url + path, timeout=(CONNECT_SECONDS, self._seconds), **options)
        except requests.ReadTimeout as exc:
            raise self._late() from exc
        except (requests.ConnectionError, requests.Timeout) as exc:
            # an answer that began in time and did not end is called a lost connection by requests
            if any(isinstance(reason, ReadTimeoutError) for reason in exc.args):
                raise self._late() from exc
            raise ServiceFailed(f"no service answers at {self.url}: start it with `labctl serve service`, then ask again") from exc
        except requests.RequestException as exc:
            raise ServiceFailed(f"{self.url} cannot be asked ({exc}): give the URL of a running `labctl serve service`") from exc
        seconds = time.perf_counter() - began
        try:
            content = response.json()
        except ValueError:
            content = {}
        if response.status_code == requests.codes.unauthorized:
            raise ServiceFailed(
                f"the service at {self.url} asks for an API key, and the pages have none or another: start `labctl serve pages` with it in "
                "LAB_API_KEY"
            )
        if not response.ok:
            raise ServiceFailed(f"the service refused this ({response.status_code}): {_reason(content)}")
        return content if isinstance(content, dict) else {}, seconds

    def _late(self) -> ServiceFailed:
        return ServiceFailed(
            f"the service at {self.url} has taken the request and not answered within {self._seconds:g} s: it is overloaded or stuck; "
            "ask again in a while, or look at its log"
        )


def _reason(content: Any) -> str:
    detail = content.get("detail") if isinstance(content, dict) else None
    if isinstance(detail, list):
        return "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in detail)
    return str(detail or "it gave no reason; its log does")

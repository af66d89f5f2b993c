"""The API server, asked through the official client; its errors in the words of the lab's own tree.

Objects are the API's own JSON and not the client's models: what is applied is then, field by field, what is rendered, and
what a reader sees in `kubectl get -o json`.

An API server may be away for some seconds (its restart, a control plane that moves). That must not end a rollout, whose users
do not pass through it: a request that found nobody is repeated until `patience` has passed. All that is asked here may be
repeated, since it says what is to be true and not what is to be changed.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_kube_config
from kubernetes.watch.watch import iter_resp_lines

from strategies.errors import CouldNotRun, ToolFailed
from strategies.waiting import Clock

Json = dict[str, Any]

FIELD_MANAGER = "labctl"
"""The name under which the API server keeps what is ours."""
READ_TIMEOUT = 4.0
"""Seconds for one answer."""
RETRY_EVERY = 0.5
WORTH_TELLING = 2.0
"""Seconds without an answer from which on somebody who reads about the run wants to know of it."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PASSING = frozenset({0, 429, 500, 502, 503, 504})
"""Answers of a server that starts, ends or is overrun; 0 is a broken TLS connection."""


class ApiRefused(ToolFailed):
    """The API server understood and said no.

    Attributes:
        status: the HTTP status, such as 403 or 409.
        said: the server's own sentence.
    """

    def __init__(self, what: str, status: int, said: str) -> None:
        super().__init__(f"the cluster refused to {what}: {said}")
        self.status = status
        self.said = said


class Cluster:
    """One cluster, reached as the kubeconfig's `context` says (empty: the current one).

    Every method raises ToolFailed if the API server does not answer within `patience` seconds, ApiRefused if it says no. `note`
    takes a sentence about each time that it was waited for.

    Raises:
        CouldNotRun: there is no such context.
    """

    def __init__(
        self,
        context: str,
        *,
        clock: Clock,
        patience: float,
        kubeconfig: Path | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        configuration = Configuration()
        try:
            load_kube_config(
                config_file=str(kubeconfig) if kubeconfig else None, context=context or None, client_configuration=configuration
            )
        except (ConfigException, OSError) as error:
            raise CouldNotRun(
                f"the kubeconfig names no cluster {context or 'as its current one'} ({error}); `kubectl config get-contexts` lists "
                "those it has, and `labctl up --platform kind` makes one"
            ) from error
        # repeating is done here, where it can be interrupted and has an end
        configuration.retries = False
        if urlsplit(configuration.host).hostname in _LOOPBACK:
            # the machine's proxy settings are not for loopback
            configuration.proxy = None
        self.api = ApiClient(configuration)
        self.host = str(configuration.host)
        self._clock = clock
        self._patience = patience
        self._note = note

    def impatient(self) -> "Cluster":
        """The same cluster for one who asks again anyway: no request is repeated."""
        other = object.__new__(Cluster)
        other.__dict__ |= {**self.__dict__, "_patience": 0.0}
        return other

    def close(self) -> None:
        """End the connections."""
        self.api.close()

    def get(self, path: str, **query: str) -> Json | None:
        """The object at `path`; None if there is none."""
        try:
            return self._ask("GET", path, query)
        except ApiRefused as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Json]:
        """The objects of a collection; none if the cluster does not know their kind."""
        found = self.get(path, **query)
        return list(found["items"]) if found else []

    def apply(self, path: str, body: Json, *, force: bool = False) -> Json:
        """Server-side apply as `labctl`: one write, which says all that is ours in the object.

        Raises:
            ApiRefused: with status 409 if another field manager owns what would change and it is not forced, or if
                `metadata.resourceVersion` is given and no longer the object's.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        return self._ask("PATCH", path, query, json.dumps(body), "application/apply-patch+yaml")

    def create(self, path: str, body: Json) -> Json:
        """Add an object to a collection; 409 if it is there already."""
        return self._ask("POST", path, {"fieldManager": FIELD_MANAGER}, body)

    def replace(self, path: str, body: Json) -> Json:
        """Replace an object; 409 if it is not the version that `body` was made from any more."""
        return self._ask("PUT", path, {"fieldManager": FIELD_MANAGER}, body)

    def delete(self, path: str) -> None:
        """Remove an object, if it is there."""
        try:
            self._ask("DELETE", path, {"propagationPolicy": "Foreground"})
        except ApiRefused as error:
            if error.status != 404:
                raise

    def text(self, path: str, **query: str) -> str:
        """An answer that is text, such as a log; empty if there is none."""
        try:
            return self._answer("GET", path, query, None, "application/json").decode(errors="replace")
        except ApiRefused as error:
            if error.status in {400, 404}:
                return ""
            raise

    def watch(self, path: str, seconds: int, **query: str) -> Iterator[Json]:
        """Events of a collection as they come, for `seconds`; raises at once, since its caller lists anew and goes on."""
        parameters = {**query, "watch": "true", "timeoutSeconds": str(seconds)}
        response = self._send("GET", path, parameters, None, "application/json", timeout=seconds + READ_TIMEOUT)
        try:
            for line in iter_resp_lines(response):
                if line:
                    yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ToolFailed(f"the cluster's API server {self.host} broke off ({error})") from error
        finally:
            response.close()

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], body: Json | str | None = None, content: str = "application/json"
    ) -> Json:
        answer = json.loads(self._answer(method, path, query, body, content))
        return dict(answer)

    def _answer(self, method: str, path: str, query: Mapping[str, str], body: Json | str | None, content: str) -> bytes:
        began, failed = self._clock.monotonic(), False
        while True:
            try:
                response = self._send(method, path, query, body, content, timeout=READ_TIMEOUT)
                data: bytes = response.read(decode_content=True)
                response.release_conn()
            except (urllib3.exceptions.HTTPError, OSError, ToolFailed) as error:
                if isinstance(error, ApiRefused) and error.status not in _PASSING:
                    self._tell(began, failed=failed)
                    raise
                if self._clock.monotonic() >= began + self._patience:
                    raise self._gone(error) from error
                failed = True
                self._clock.sleep(RETRY_EVERY)
            else:
                self._tell(began, failed=failed)
                return data

    def _tell(self, began: float, *, failed: bool) -> None:
        """Once it answers again, be it by a no: say for how long it did not, if that was long."""
        waited = self._clock.monotonic() - began
        if failed and waited >= WORTH_TELLING:
            self._note(f"the cluster's API server did not answer for {waited:.0f} s, which were waited for")

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Json | str | None, content: str, *, timeout: float
    ) -> urllib3.BaseHTTPResponse:
        # the client's own way of sending reads streams whole, and its names change from release to release
        try:
            response: urllib3.BaseHTTPResponse = self.api.rest_client.pool_manager.request(
                method,
                self.url(path, query),
                body=json.dumps(body) if isinstance(body, dict) else body,
                headers={"Accept": "application/json", "Content-Type": content, **self.credentials()},
                timeout=urllib3.Timeout(connect=READ_TIMEOUT, read=timeout),
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._gone(error) from error
        if not 200 <= response.status < 300:
            raise ApiRefused(f"{method} {path}", response.status, _said(response.read(decode_content=True), response.status))
        return response

    def url(self, path: str, query: Mapping[str, str]) -> str:
        """Where the API server has something."""
        return f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")

    def credentials(self) -> dict[str, str]:
        """The header that says who asks; none where the kubeconfig has a certificate for that."""
        bearer = self.api.configuration.auth_settings().get("BearerToken")
        return {bearer["key"]: bearer["value"]} if bearer and bearer["value"] else {}

    def _gone(self, error: Exception) -> ToolFailed:
        return ToolFailed(f"the cluster's API server {self.host} does not answer ({error}); see whether the cluster runs")


def _said(body: bytes, status: int) -> str:
    """The sentence in a refusal, which is a Status object where the API server itself wrote it."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"{status} {body[:200].decode(errors='replace')}"

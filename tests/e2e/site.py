"""All four ways of serving at once, as a person would start them: a service, a configuration, a database, and the pages."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from platforms.ports import free_ports
from tests.e2e.labctl import Labctl

DEADLINE = 150.0


class Site:
    """Run by `site`.

    Attributes:
        url: of the pages, while they are served.
        api: of the service.
        config: which model is served as data and by the service.
        database: the file of the predictions.
    """

    def __init__(self, labctl: Labctl, folder: Path) -> None:
        self._labctl, self._running = labctl, ExitStack()
        pages, service = free_ports(2)
        self.url, self.api = f"http://127.0.0.1:{pages}", f"http://127.0.0.1:{service}"
        self.config, self.database = folder / "model.toml", folder / "predictions.db"
        self.pages: subprocess.Popen[str] | None = None
        self.service: subprocess.Popen[str] | None = None

    def choose(self, version: str) -> None:
        """`labctl model use`: for the page of the model as data and for the service, each from its next start on."""
        self._do("model", "use", version, "--config", str(self.config))

    def predict(self, version: str) -> None:
        """`labctl predict batch`: every case of the holdout."""
        observations = str(self._labctl.store / "holdout.csv")
        self._do("predict", "batch", observations, "--version", version, "--database", f"sqlite:///{self.database}")

    def start_service(self) -> None:
        """Return once the service answers."""
        # into the log and not a pipe, which nobody would empty
        with (self.config.parent / "service.log").open("a") as log:
            self.service = self._start(log, *self._service_command())
        self._labctl.wait_for("service", self._service_answers, DEADLINE)

    def refused_service(self) -> str:
        """Try to start the service, which must fail; what is said then."""
        done = self._labctl.run(*self._service_command())
        assert done.returncode in {2, 3}, done.stderr
        return done.stderr

    def start_pages(self, version: str = "v1") -> None:
        """Return once the pages answer; `version` is in their artifact."""
        log = self.config.parent / "pages.log"
        where = ("--api", self.api, "--config", str(self.config), "--database", f"sqlite:///{self.database}")
        with log.open("w") as file:
            self.pages = self._start(file, "serve", "pages", "--version", version, "--port", self.url.rpartition(":")[2], *where)
        pages = self.pages
        self._labctl.wait_for("pages", lambda: re.search("Ctrl-C ends it", log.read_text()) or pages.poll() is not None, DEADLINE)
        assert pages.poll() is None, log.read_text()

    def stop_service(self) -> None:
        """End the service, as Ctrl-C does."""
        _interrupt(self.service)

    def stop_pages(self) -> None:
        """End the pages, as Ctrl-C does."""
        _interrupt(self.pages)

    def end(self) -> None:
        """End all."""
        self._running.close()

    def _service_command(self) -> tuple[str, ...]:
        return "serve", "service", "--config", str(self.config), "--port", self.api.rpartition(":")[2]

    def _service_answers(self) -> bool:
        assert self.service
        assert self.service.poll() is None, (self.config.parent / "service.log").read_text()
        try:
            return httpx.get(f"{self.api}/readyz", trust_env=False, timeout=5).is_success
        except httpx.HTTPError:
            return False

    def _do(self, *command: str) -> None:
        done = self._labctl.run(*command)
        assert done.returncode == 0, done.stderr

    def _start(self, log: object, *command: str) -> subprocess.Popen[str]:
        return self._running.enter_context(self._labctl.started(*command, stdout=log, stderr=log))


def _interrupt(process: subprocess.Popen[str] | None) -> None:
    assert process
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0


@contextmanager
def site(labctl: Labctl, folder: Path) -> Iterator[Site]:
    """Everything with v1 but the pages, which are not started yet; nothing of it runs afterwards."""
    one = Site(labctl, folder)
    try:
        one.choose("v1")
        one.predict("v1")
        one.start_service()
        yield one
    finally:
        one.end()

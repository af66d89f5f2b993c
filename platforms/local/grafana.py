"""Grafana beside a lab that stays, where its program is at hand: on loopback, with the dashboards that a cluster has, too.

Without those panels alone that ask PostgreSQL: a lab on this machine has its predictions in SQLite, which Grafana does not read by
itself. It only shows. A lab is whole without it, so one that does not come up is told of and left out.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from platforms.local import processes
from platforms.local.processes import STOP_GRACE
from platforms.local.state import Process, StateFile, write_atomically
from platforms.ports import free_ports
from strategies.errors import CouldNotRun, LabError, StoreRefused, ToolFailed
from strategies.waiting import Clock, wait_until

DASHBOARDS = Path(__file__).parents[2] / "charts" / "lab" / "dashboards"
INTERVAL = "1s"
"""How often the lab's Prometheus scrapes: what a panel's windows are made from."""
START_TIMEOUT = 90.0
"""Seconds; the first start makes a database."""
PROGRAMS = {"grafana": ("server",), "grafana-server": ()}
"""The names that its program has had, and the word that starts a server."""


def find(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program; None if there is none on PATH."""
    found = next(filter(None, (shutil.which(name, path=environment.get("PATH")) for name in PROGRAMS)), None)
    return Path(found) if found else None


def start(folder: Path, *, clock: Clock, say: Callable[[str], None]) -> None:
    """Start it beside the lab in `folder`, whose state file names it from then on; nothing happens if it runs already or is not at hand."""
    file = StateFile(folder)
    lab, program = file.read(), find()
    if lab is None or program is None or (lab.grafana and processes.alive(lab.grafana)):
        return
    home = _home(program)
    if home is None:
        say(f"{program} is there, but not the files that belong to it (conf/defaults.ini); the lab runs without Grafana")
        return
    (port,) = free_ports(1)

    def record(process: Process) -> None:
        file.write(msgspec.structs.replace(lab, grafana=process, grafana_port=port))

    try:
        environment = _provision(folder / "grafana", port=port, prometheus=f"http://127.0.0.1:{lab.prometheus_port}")
        command = (str(program), *PROGRAMS[program.name], "--homepath", str(home))
        process = processes.start("grafana", command, log=folder / "logs" / "grafana.log", record=record, environment=environment)
        _wait_until_up(process, port, clock)
    except LabError as error:
        _forget(folder, clock)
        # an interruption is for whoever called
        if not isinstance(error, CouldNotRun):
            raise
        say(f"Grafana did not come up, so the lab runs without it: {error}")


def _wait_until_up(process: Process, port: int, clock: Clock) -> None:
    def up() -> bool:
        if not processes.alive(process):
            raise ToolFailed(f"it ended at start: {processes.last_words(process)}", ("grafana",))
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2.0, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(up, timeout=START_TIMEOUT, clock=clock, reason=lambda: f"it does not answer: {processes.last_words(process)}")


def _forget(folder: Path, clock: Clock) -> None:
    file = StateFile(folder)
    lab = file.read()
    if lab and lab.grafana:
        processes.stop([lab.grafana], clock=clock, grace=STOP_GRACE)
        file.write(msgspec.structs.replace(lab, grafana=None, grafana_port=0))


def _home(program: Path) -> Path | None:
    """Where the files are that it needs to start, for each way in which it is installed."""
    prefix = program.resolve().parents[1]
    places = (prefix, prefix / "share" / "grafana", Path("/usr/share/grafana"))
    return next((place for place in places if (place / "conf" / "defaults.ini").is_file()), None)


def _provision(folder: Path, *, port: int, prometheus: str) -> dict[str, str]:
    """Write what it is provisioned with into `folder`; the settings that go with it, as environment variables."""
    source = {
        "name": "Prometheus",
        "uid": "prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus,
        "isDefault": True,
        "editable": False,
        "jsonData": {"timeInterval": INTERVAL},
    }
    shown = folder / "dashboards"
    boards = {"name": "lab", "folder": "Lab", "type": "file", "allowUiUpdates": False, "options": {"path": str(shown)}}
    _make(shown)
    for path in DASHBOARDS.glob("*.json"):
        write_atomically(shown / path.name, msgspec.json.encode(_asking_prometheus(msgspec.json.decode(path.read_bytes()))))
    for kind, content in (("datasources", {"datasources": [source]}), ("dashboards", {"providers": [boards]})):
        place = folder / "provisioning" / kind
        _make(place)
        # JSON is YAML, which is what it reads
        write_atomically(place / "lab.yaml", msgspec.json.format(msgspec.json.encode({"apiVersion": 1, **content})))
    return {
        "GF_PATHS_PROVISIONING": str(folder / "provisioning"),
        "GF_PATHS_DATA": str(folder / "data"),
        "GF_PATHS_LOGS": str(folder / "logs"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_LOG_MODE": "console",
        # it is reached from loopback only, and there is nothing in it to protect: whoever opens it may look
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        # the lab asks nothing of the internet
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "1s",
    }


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreRefused(f"{folder} cannot be written ({error.strerror}); choose another folder with LAB_HOME") from error


def _asking_prometheus(board: dict[str, Any]) -> dict[str, Any]:
    """A dashboard without the panels, and the choice of a data source, that nothing here could answer."""
    panels = [panel for panel in board["panels"] if panel["datasource"]["type"] == "prometheus"]
    choices = [choice for choice in board["templating"]["list"] if choice["type"] != "datasource" or choice["query"] == "prometheus"]
    return {**board, "panels": panels, "templating": {**board["templating"], "list": choices}}

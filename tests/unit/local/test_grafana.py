"""Grafana is started beside a lab that stays, on loopback and provisioned, and never keeps a lab from being there.

A stand-in takes its place: what is tried is how it is found, told what to do, watched and ended, and not what it shows.
"""

import json
import os
import sys
from pathlib import Path

import httpx
import pytest

from cli.clock import SystemClock
from platforms.local import grafana, processes
from platforms.local import lab as local
from platforms.local.state import Lab, StateFile

pytestmark = pytest.mark.usefixtures("nothing_left_running")

STAND_IN = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

if {dies}:
    sys.exit("no space left on device")

class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
        told = {{name: value for name, value in os.environ.items() if name.startswith("GF_")}}
        self.wfile.write(json.dumps([sys.argv[1:], told]).encode())
    def log_message(self, *_): pass

HTTPServer((os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])), Health).serve_forever()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lab's folder, with a lab of which nothing runs."""
    folder = tmp_path / "lab"
    (folder / "logs").mkdir(parents=True)
    StateFile(folder).write(Lab(gateway_port=1, admin_port=2, prometheus_port=3, store=""))
    return folder


def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, dies: bool = False, name: str = "grafana") -> Path:
    home = tmp_path / "installed"
    (home / "conf").mkdir(parents=True)
    (home / "conf" / "defaults.ini").touch()
    (home / "bin").mkdir()
    program = home / "bin" / name
    program.write_text(STAND_IN.format(python=sys.executable, dies=dies))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return home


def started(folder: Path) -> tuple[Lab, list[str]]:
    said: list[str] = []
    grafana.start(folder, clock=SystemClock(), say=said.append)
    lab = StateFile(folder).read()
    assert lab is not None
    return lab, said


@pytest.mark.parametrize(("name", "words"), [("grafana", ["server"]), ("grafana-server", [])])
def test_it_runs_on_loopback_with_the_dashboards_of_a_cluster(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: list[str]
) -> None:
    home = at_hand(tmp_path, monkeypatch, name=name)
    lab, said = started(folder)
    assert lab.grafana in lab.processes()
    arguments, settings = httpx.get(f"http://127.0.0.1:{lab.grafana_port}/api/health", trust_env=False).json()
    again, _ = started(folder)
    assert local.stop(folder, clock=SystemClock()) == ()

    assert said == []
    assert again == lab, "a second call started another one"
    assert lab.grafana is not None
    assert not processes.alive(lab.grafana)
    assert arguments == [*words, "--homepath", str(home)]
    assert settings["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    provisioning = Path(settings["GF_PATHS_PROVISIONING"])
    (source,) = json.loads((provisioning / "datasources" / "lab.yaml").read_text())["datasources"]
    (boards,) = json.loads((provisioning / "dashboards" / "lab.yaml").read_text())["providers"]
    assert (source["uid"], source["url"]) == ("prometheus", "http://127.0.0.1:3")
    shown = {path.stem: json.loads(path.read_text()) for path in Path(boards["options"]["path"]).glob("*.json")}
    assert shown.keys() == {path.stem for path in grafana.DASHBOARDS.glob("*.json")}
    assert shown["rollout"] == json.loads((grafana.DASHBOARDS / "rollout.json").read_text())


def test_no_panel_asks_a_source_that_is_not_there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab on this machine has no PostgreSQL."""
    at_hand(tmp_path, monkeypatch)
    lab, _ = started(folder)
    assert lab.grafana is not None
    local.stop(folder, clock=SystemClock())

    shown = [json.loads(path.read_text()) for path in (folder / "grafana" / "dashboards").glob("*.json")]
    assert {panel["datasource"]["type"] for board in shown for panel in board["panels"]} == {"prometheus"}
    choices = [choice for board in shown for choice in board["templating"]["list"] if choice["type"] == "datasource"]
    assert {choice["query"] for choice in choices} == {"prometheus"}
    serving = next(board for board in shown if board["title"] == "Serving")
    assert "Rows in the database" in {panel["title"] for panel in serving["panels"]}


def test_a_lab_is_whole_without_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = at_hand(tmp_path, monkeypatch, dies=True)
    lab, said = started(folder)

    assert lab.grafana is None
    assert len(said) == 1
    assert "the lab runs without it" in said[0]
    assert "no space left on device" in said[0]

    (home / "conf" / "defaults.ini").unlink()
    assert "not the files that belong to it" in started(folder)[1][0]

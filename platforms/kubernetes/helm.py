"""Helm: a release per slot, from the project's own chart.

What a candidate's release has beside its version comes from the release that serves: the same image, store and settings, so
that what is compared is the version and nothing else.

Helm asks more than once before it writes, and each question takes as long as the API server does. So the lease is asked for
right before each write and not when a verb begins: a labctl that was stopped between the two, and is woken after somebody has
taken its rollout over, writes nothing.
"""

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from platforms.kubernetes.held import Held
from platforms.kubernetes.routes import release_name
from strategies.errors import ToolFailed
from strategies.plan import Release
from strategies.traffic import Slot

Json = dict[str, Any]

CHART = Path(__file__).parents[2] / "charts" / "model-api"
TIMEOUT = 60.0
"""Seconds for one call. Nothing is waited for in it, so it is the API server that takes this long."""
ROLLING: Json = {"type": "RollingUpdate", "maxSurge": 1, "maxUnavailable": 0}
"""How pods are exchanged in place where nobody says otherwise: nobody is taken away before another is ready."""
_MISSING = "not found"


class Outdated(NamedTuple):
    """Replicas of another image than the one that is at hand now."""

    image: str
    """Theirs, as repository:tag."""
    here: str
    """The one at hand."""
    exchange: str
    """The command that has them exchanged one by one."""


class Helm:
    """Releases in `namespace` of the kubeconfig's `context`. `digest` tells a version's sha256; `extra` are values of one's own.

    `held` is the lease under which they are written. Every method raises ToolFailed, with what helm said, if helm fails; those that
    write raise LockHeld if the lease is not ours any more.
    """

    def __init__(
        self,
        context: str,
        namespace: str,
        *,
        digest: Callable[[str], str],
        extra: Mapping[str, Any],
        held: Held | None,
        kubeconfig: Path | None = None,
    ) -> None:
        self._where = ["--namespace", namespace, *(["--kube-context", context] if context else [])]
        self._where += ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
        self._digest = digest
        self._extra = extra
        self._held = held

    def install(self, slot: Slot, release: Release, strategy: Json | None = None) -> None:
        """Have the release of `slot` say what is to run there, exchanged by the Deployment's `strategy`; the cluster makes it true."""
        self._settle(slot)
        values = {
            **(self.values(slot) or self.values(slot.other) or {}),
            **self._extra,
            "slot": slot.value,
            "version": release.version,
            "digest": self._digest(release.version),
            "replicas": release.replicas,
            "strategy": strategy or ROLLING,
        }
        self._write("upgrade", release_name(slot), str(CHART), "--install", "--values", "-", given=json.dumps(values))

    def outdated(self, slot: Slot) -> Outdated | None:
        """Whether the release of `slot` has another image than a new one would get; None if it has the same, or is none."""
        there, here = (_image(values or {}) for values in (self.values(slot), self._extra))
        if not there or not here or there == here:
            return None
        repository, _, tag = here.rpartition(":")
        # the last rollout may have left the release with a strategy that takes everybody away at once
        rolling = (f"strategy.{name}={value}" for name, value in ROLLING.items())
        changed = ",".join((f"image.repository={repository}", f"image.tag={tag}", *rolling))
        command = ("helm", "upgrade", release_name(slot), str(CHART), *self._where, "--reset-then-reuse-values", "--set", changed)
        return Outdated(there, here, shlex.join(command))

    def uninstall(self, slot: Slot) -> None:
        """Remove the release of `slot`, if there is one; what it made is removed in the background."""
        self._write("uninstall", release_name(slot), "--ignore-not-found")

    def values(self, slot: Slot) -> Json | None:
        """The values that the release of `slot` was given; None if there is no release."""
        found = self._asked("get", "values", release_name(slot))
        return dict(found) if found else None

    def _settle(self, slot: Slot) -> None:
        """End what a helm that was killed left half-done: helm refuses to touch such a release."""
        found = self._asked("status", release_name(slot))
        status = str(found.get("info", {}).get("status", "")) if found else ""
        if not found or not status.startswith("pending"):
            return
        if int(found.get("version", 1)) == 1:
            self.uninstall(slot)
        else:
            self._write("rollback", release_name(slot))

    def _write(self, *arguments: str, given: str = "") -> None:
        if self._held:
            self._held.check()
        self._helm(*arguments, given=given)

    def _asked(self, *arguments: str) -> Json | None:
        try:
            found = json.loads(self._helm(*arguments, "--output", "json"))
        except ToolFailed as error:
            if _MISSING in error.stderr:
                return None
            raise
        return dict(found) if found else None

    def _helm(self, *arguments: str, given: str = "") -> str:
        command = ("helm", *arguments, *self._where)
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except FileNotFoundError as error:
            raise ToolFailed("helm is not on PATH; `labctl doctor` says how to get it", command) from error
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(f"helm did not end within {TIMEOUT:g} s; see whether the cluster runs", command) from error
        if done.returncode != 0:
            raise ToolFailed("helm failed", command, "\n".join(done.stderr.splitlines()[-5:]))
        return done.stdout


def _image(values: Mapping[str, Any]) -> str:
    """Which image a release's values ask for, as repository:tag; empty if they ask for none."""
    image = values.get("image", {})
    return f"{image['repository']}:{image['tag']}" if image.get("repository") and image.get("tag") else ""

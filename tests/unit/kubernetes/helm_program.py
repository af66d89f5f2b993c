"""A program `helm` that writes down what it is asked, and can be held up in a call."""

import json
from pathlib import Path

WRITES = {"upgrade", "uninstall", "rollback"}

SCRIPT = """#!/bin/sh
echo "$1" >> "$0.asked"
# whoever is stopped here goes on only when the other has taken the lease
[ "$1" = "$(cat "$0.stop" 2>/dev/null)" ] && until [ -e "$0.woken" ]; do sleep 0.02; done
case "$1" in
  status) echo '{"version": VERSION, "info": {"status": "STATUS"}}' ;;
  get) echo '{"image": {"tag": "one"}}' ;;
  upgrade) cat > "$0.given" ;;
esac
"""


class FakeHelm:
    """A program `helm` on PATH that writes down what it was asked, and may be held up in one of its calls."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "helm"
        self.says("deployed", version=1)

    def says(self, status: str, *, version: int) -> None:
        """What it tells of the release."""
        self._program.write_text(SCRIPT.replace("STATUS", status).replace("VERSION", str(version)))
        self._program.chmod(0o755)

    def stop_in(self, command: str) -> None:
        """Do not come back from this command until `wake`."""
        self._beside("stop").write_text(command)

    def wake(self) -> None:
        """Go on."""
        self._beside("woken").touch()

    def asked(self) -> list[str]:
        """Its commands in order."""
        path = self._beside("asked")
        return path.read_text().split() if path.exists() else []

    def given(self) -> dict[str, object]:
        """The values of the last upgrade."""
        return dict(json.loads(self._beside("given").read_text()))

    def _beside(self, name: str) -> Path:
        return self._program.with_name(f"helm.{name}")

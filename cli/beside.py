"""That another lab may be meant: for who types a command without a platform while a lab runs on kind."""

import os
import sys
from pathlib import Path

from cli.platforms import KIND, Chosen
from platforms.kubernetes.settings import FILE, Sources


def hint(chosen: Chosen, command: str) -> None:
    """Say on stderr that the kind cluster of the lab's name runs, unless the person said which platform is meant."""
    from platforms.kubernetes import beside

    cluster = Sources({}, os.environ, Path(FILE)).text("cluster", "lab")
    if not chosen.told and beside.answers(f"kind-{cluster}"):
        print(
            f"this is about the lab on this machine alone; the kind cluster {cluster} runs too, see `labctl {command} --platform {KIND}`",
            file=sys.stderr,
        )

"""The embedded model: code and model in one artifact, a folder that needs nothing but the installed libraries.

`python -m app.artifact --store DIR --version V --to DIR` makes it. Its name is the version and a digest of everything in it, so a new
model or new code is a new artifact, and two artifacts of the same name are the same.

Exit codes: 0; 2 the store has no such version; 3 it could not be made.
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import AppError, StoreRefused
from app.publishing import HOLDOUT_FILE, publish
from app.store import MODEL_FILE, load, read_card

MANIFEST = "artifact.json"
MODELS = "model"
CODE = Path(__file__).parent


class Artifact(BaseModel):
    """What an artifact tells of itself.

    Attributes:
        name: its version: the model's, and the first digits of the digest.
        model: the version of the model inside.
        sha256: of every file's path and content, in hex, the manifest apart.
        bytes: how much all of it is; what has to be moved to put it somewhere.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    sha256: str
    bytes: int


def build(store: Path, version: str, to: Path) -> Path:
    """Make the artifact of a version as a folder in `to`; one that is there already is left as it is.

    Raises:
        UnknownVersion: the store has no such version.
        StoreRefused: it has no cases, or the artifact cannot be written.
    """
    card = read_card(store, version)
    load(store, version)
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to, prefix=".building-") as scratch:
            folder = Path(scratch, "new")
            shutil.copytree(CODE, folder / CODE.name, ignore=shutil.ignore_patterns("__pycache__"))
            publish(folder / MODELS, card, (store / version / MODEL_FILE).read_bytes())
            shutil.copyfile(store / HOLDOUT_FILE, folder / MODELS / HOLDOUT_FILE)
            digest, size = _measure(folder)
            artifact = Artifact(name=f"{version}-{digest[:12]}", model=version, sha256=digest, bytes=size)
            (folder / MANIFEST).write_text(artifact.model_dump_json(indent=2) + "\n")
            place = to / artifact.name
            if not place.exists():
                folder.rename(place)
    except OSError as exc:
        raise StoreRefused(f"the artifact of {version} cannot be made in {to} ({exc}): make room, or give another folder") from exc
    return place


def read(folder: Path) -> Artifact:
    """The artifact in a folder, after every byte of it has been checked.

    Raises:
        StoreRefused: the folder is no artifact, or something in it is not what it was made of.
    """
    try:
        artifact = Artifact.model_validate_json((folder / MANIFEST).read_bytes())
        digest, _ = _measure(folder)
    except (OSError, ValidationError) as exc:
        raise StoreRefused(f"{folder} is no artifact: `labctl serve embedded --build FOLDER` makes one") from exc
    if digest != artifact.sha256:
        raise StoreRefused(f"{folder} is not what it was made of (its sha256 differs): make it again with `labctl serve embedded --build`")
    return artifact


def _measure(folder: Path) -> tuple[str, int]:
    """The digest over all files in a folder and their bytes together; what Python compiles at a start is none of them."""
    digest, size = hashlib.sha256(), 0
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST:
            continue
        content = path.read_bytes()
        size += len(content)
        # the lengths keep two files from being taken for one of both names
        digest.update(f"{len(name)}:{name}:{len(content)}:".encode() + content)
    return digest.hexdigest(), size


def main(arguments: Sequence[str] | None = None) -> int:
    """Make an artifact and print the folder that it is."""
    parser = argparse.ArgumentParser(prog="python -m app.artifact", description="Put a model and its code into one artifact.")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="the model store")
    parser.add_argument("--version", required=True, help="which of its versions")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the artifact's folder is made")
    options = parser.parse_args(arguments)
    try:
        folder = build(options.store, options.version, options.to)
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    print(folder)  # noqa: T201  what the caller goes on with
    return 0


if __name__ == "__main__":
    sys.exit(main())

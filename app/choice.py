"""Which model is to be served, as data: a small TOML file that names a store, a version and the model's digest.

Changing the file and restarting switches the model. The digest is noted when the version is chosen, so that a store that
was exchanged behind our back is refused.
"""

import json
import os
import tempfile
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import BadConfiguration


class Choice(BaseModel):
    """One model.

    Attributes:
        store: the store's URL, or a folder.
        version: which of its versions.
        sha256: of its payload, in hex; None takes what the store's card tells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: str = Field(min_length=1)
    version: str = Field(min_length=1)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")


def read_choice(path: Path) -> Choice:
    """What a configuration file chooses.

    Raises:
        BadConfiguration: it is missing or makes no sense.
    """
    try:
        return Choice.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise BadConfiguration(f"{path} cannot be read ({exc.strerror}): `labctl model use VERSION` writes it") from exc
    except ValidationError as exc:
        wrong = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors())
        raise BadConfiguration(f"{path} chooses no model ({wrong}): `labctl model use VERSION` writes it anew") from exc
    except ValueError as exc:
        raise BadConfiguration(f"{path} is no TOML ({exc}): `labctl model use VERSION` writes it anew") from exc


def write_choice(path: Path, choice: Choice) -> None:
    """Write a configuration file; a server that starts meanwhile reads the old one or the new one, never a half.

    Raises:
        BadConfiguration: it cannot be written.
    """
    # a JSON text is a TOML text as well
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in choice.model_dump(exclude_none=True).items())
    text = "".join(("# the model that is served; `labctl model use VERSION` writes this, a restart applies it\n", *lines))
    try:
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".model-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except OSError as exc:
        raise BadConfiguration(f"{path} cannot be written ({exc.strerror}): give another with --config") from exc

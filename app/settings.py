"""How a replica is configured: by environment variables that begin with MODEL_API_, and the file that chooses its model."""

import os
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.choice import read_choice
from app.errors import BadConfiguration

PREFIX = "MODEL_API_"
LOG_URL = re.compile(r"sqlite:///.+|postgres(ql)?(\+psycopg)?://.+")
ORIGIN = r"https?://[A-Za-z0-9.\[\]:-]+"
"""Of a page. `*` is none: with it every page in a user's browser could call the API."""


def _known(url: str) -> str:
    if url and not LOG_URL.fullmatch(url):
        # the URL itself may hold a password, which must not get into a log
        raise ValueError("write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return url


class Settings(BaseSettings):
    """One replica's settings.

    Attributes:
        config: a file that tells store, version and sha256 (see app/choice.py); it wins over the three variables.
        store: the model store: a folder, or the URL of a published one.
        version: which of its versions to serve.
        sha256: the digest that its payload must have, in hex.
        slot: the slot that this replica belongs to, a label of its metrics.
        host: address to listen on.
        port: port to listen on; 0 takes a free one, which the log names.
        drain_seconds: how long to go on accepting after SIGTERM.
        error_ratio: fault: this ratio (0..1) of predictions fails.
        latency_seconds: fault: added to every prediction.
        unready: fault: it serves, and says that it is not ready.
        max_body_bytes: longest request body that is read.
        prediction_log: where predictions and feedback are written, "sqlite:///FILE" or "postgresql://..."; empty for nowhere.
        database: URL of predictions to show at /predictions; empty shows none.
        api_key: what clients must send; empty asks for none.
        cors_origins: origins of pages whose scripts may call the API, separated by commas; none by default.
        parent: end, as after SIGTERM, when the process of this id is no longer the parent; 0 for never.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    config: Path | None = None
    store: str
    version: str
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    slot: str = Field(default="blue", pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    drain_seconds: float = Field(default=5, ge=0, le=3600)
    error_ratio: float = Field(default=0, ge=0, le=1)
    latency_seconds: float = Field(default=0, ge=0, le=60)
    unready: bool = False
    max_body_bytes: int = Field(default=65536, ge=1)
    prediction_log: Annotated[str, AfterValidator(_known)] = Field(default="", repr=False)
    database: SecretStr = SecretStr("")
    api_key: SecretStr = SecretStr("")
    cors_origins: str = Field(default="", pattern=rf"^({ORIGIN}(,{ORIGIN})*)?$")
    parent: int = Field(default=0, ge=0)

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that the environment tells.

        Raises:
            BadConfiguration: a variable is missing or out of range (all such are named), or the file chooses no model.
        """
        config = os.environ.get(f"{PREFIX}CONFIG")
        chosen = read_choice(Path(config)).model_dump() if config else {}
        try:
            return cls(**chosen)
        except ValidationError as exc:
            wrong = (f"{PREFIX}{str(error['loc'][0]).upper()}: {error['msg']}" for error in exc.errors())
            raise BadConfiguration(f"the environment does not configure a replica: {'; '.join(wrong)}") from exc

"""How a replica is configured: by environment variables that begin with MODEL_API_."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import BadConfiguration

PREFIX = "MODEL_API_"
LOG_URL = re.compile(r"sqlite:///.+|postgres(ql)?(\+psycopg)?://.+")


def _known(url: str) -> str:
    if url and not LOG_URL.fullmatch(url):
        # the URL itself may hold a password, which must not get into a log
        raise ValueError("write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return url


class Settings(BaseSettings):
    """One replica's settings.

    Attributes:
        store: directory of the model store.
        version: which of its versions to serve.
        slot: the slot that this replica belongs to, a label of its metrics.
        host: address to listen on.
        port: port to listen on; 0 takes a free one, which the log names.
        drain_seconds: how long to go on accepting after SIGTERM.
        error_ratio: fault: this ratio (0..1) of predictions fails.
        latency_seconds: fault: added to every prediction.
        max_body_bytes: longest request body that is read.
        prediction_log: where predictions and feedback are written, "sqlite:///FILE" or "postgresql://..."; empty for nowhere.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    store: Path
    version: str
    slot: str = Field(default="blue", pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    drain_seconds: float = Field(default=5, ge=0, le=3600)
    error_ratio: float = Field(default=0, ge=0, le=1)
    latency_seconds: float = Field(default=0, ge=0, le=60)
    max_body_bytes: int = Field(default=65536, ge=1)
    prediction_log: Annotated[str, AfterValidator(_known)] = Field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that the environment tells.

        Raises:
            BadConfiguration: a variable is missing or out of range; all such are named.
        """
        try:
            return cls()  # type: ignore[call-arg]  # the environment gives what is missing here
        except ValidationError as exc:
            wrong = (f"{PREFIX}{str(error['loc'][0]).upper()}: {error['msg']}" for error in exc.errors())
            raise BadConfiguration(f"the environment does not configure a replica: {'; '.join(wrong)}") from exc

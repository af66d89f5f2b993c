"""How the pages are configured: by environment variables that begin with MODEL_PAGES_."""

from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import BadConfiguration

PREFIX = "MODEL_PAGES_"


class Configuration(BaseSettings):
    """What the pages show and where it comes from.

    Attributes:
        artifact: the folder of code and model that the embedded page predicts with.
        show: all pages, or one of the four alone.
        store: the model store whose versions can be set side by side: a folder, or the URL of a published one.
        config: the file that chooses the model published as data.
        fetched: the folder into which somebody has fetched that model before the start; None if the pages fetch it themselves.
        api: the URL of the service.
        api_key: what the service asks for; empty if it asks for none.
        database: the URL of the predictions' database.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    artifact: Path
    show: Literal["all", "embedded", "data", "service", "database"] = "all"
    store: str = "models"
    config: Path = Path("model.toml")
    fetched: Path | None = None
    api: str = "http://127.0.0.1:8000"
    api_key: SecretStr = SecretStr("")
    database: str = "sqlite:///predictions.db"

    @classmethod
    @cache
    def from_environment(cls) -> Self:
        """The configuration that the environment tells; read once, as a change needs a restart.

        Raises:
            BadConfiguration: a variable is missing or makes no sense; all such are named.
        """
        try:
            return cls()  # type: ignore[call-arg]  # the environment gives what is missing here
        except ValidationError as exc:
            wrong = (f"{PREFIX}{str(error['loc'][0]).upper()}: {error['msg']}" for error in exc.errors())
            raise BadConfiguration(
                f"the environment does not configure the pages: {'; '.join(wrong)}; start them with `labctl serve pages`"
            ) from exc

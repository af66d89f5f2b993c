"""The reference of settings: every LAB_ variable, those of a replica (MODEL_API_) and those of the pages (MODEL_PAGES_)."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from app import settings as replica
from app.pages import configuration as pages
from cli.settings import Settings as Folders
from handbook.commands import commands
from handbook.markdown import attributes, code, page, sentence, table
from platforms.kubernetes.settings import FILE, KubernetesSettings, Ports, Sources, cluster_settings, kind_settings

OTHERS = {
    "LAB_PLATFORM": ("`local`", "where commands act: `local`, `kind` or `kubernetes`; `--platform` wins over it"),
    "LAB_API_KEY": ("", "the key that `labctl serve service` asks clients for, and that `labctl serve pages` sends"),
    "LAB_CACHE": ("`labctl` in the user's cache folder", "where downloaded programs are kept"),
}
"""Those that are read where they are used, and that nothing else describes."""
TITLES = {"prometheus": "Prometheus", "grafana": "Grafana", "store": "the model store"}


class Asked(Mapping[str, str]):
    """An environment without any variable, that remembers which were asked for."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        """Nothing is set."""
        self.names[name] = None
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Nothing."""
        return iter(())

    def __len__(self) -> int:
        """None."""
        return 0


def reference() -> str:
    """The page."""
    headings = ("variable", "default", "what it is")
    return page(
        "Settings",
        "the code that reads them",
        "A flag wins over a variable of the environment.",
        "## Folders and programs",
        table(headings, [*_folders(), *((code(name), *_words(default, what)) for name, (default, what) in OTHERS.items()), *_options()]),
        "## A lab on a cluster",
        f"Each of them may also stand in `{FILE}` in the current folder, in small letters and without `LAB_`: "
        '`node_image = "kindest/node:v1.35.0"` is `LAB_NODE_IMAGE`. The environment wins over the file.',
        table(headings, _cluster()),
        "## A replica of the model API",
        "`labctl` and the chart set these; they are for who runs a replica otherwise (`python -m app.server`).",
        table(headings, _model(replica.Settings, replica.PREFIX)),
        "## The pages",
        "`labctl serve embedded` and `labctl serve pages` set these.",
        table(headings, _model(pages.Configuration, pages.PREFIX)),
    )


def names() -> set[str]:
    """Every variable of the page."""
    return set(re.findall(r"`((?:LAB|MODEL_API|MODEL_PAGES)_[A-Z0-9_]+)`", reference()))


def _words(default: str, what: str) -> tuple[str, str]:
    return default, sentence(what)


def _folders() -> Iterator[tuple[str, str, str]]:
    defaults = {"home": ".lab", "runs": "runs", "store": "models"}
    for name, what in attributes(Folders).items():
        variable = re.search(r"LAB_\w+", what)
        if variable:
            yield code(variable[0]), code(defaults[name]), sentence(re.sub(r" \(`LAB_\w+`\)", "", what))


def _options() -> Iterator[tuple[str, str, str]]:
    """Options of commands that a variable can stand for."""
    users: dict[str, list[str]] = {}
    helps: dict[str, str] = {}
    for name, command in commands():
        for parameter in command.params:
            if isinstance(parameter.envvar, str) and parameter.envvar.startswith("LAB_"):
                users.setdefault(parameter.envvar, []).append(f"`{name} {parameter.opts[0]}`")
                helps.setdefault(parameter.envvar, str(getattr(parameter, "help", "")))
    for variable, where in users.items():
        yield code(variable), "", f"{sentence(helps[variable])} For {', '.join(where)}."


def _cluster() -> Iterator[tuple[str, str, str]]:
    asked = Asked()
    kind = kind_settings(Sources({}, asked, Path("no-such-file")))
    cluster_settings(Sources({"context": "any"}, asked, Path("no-such-file")))
    described = attributes(KubernetesSettings)
    for variable in asked.names:
        name = variable.removeprefix("LAB_").lower()
        default: Any
        if name.endswith("_port"):
            part = name.removesuffix("_port")
            what, default = f"port of the host's loopback at which kind publishes {TITLES.get(part, f'the {part}')}", getattr(Ports(), part)
        else:
            what, default = described[name], getattr(kind, name)
        yield (
            code(variable),
            code({True: "on", False: "off"}.get(default, default) if isinstance(default, bool) else default),
            sentence(what),
        )


def _model(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    described = attributes(model)
    for name, field in model.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "required" if field.is_required() else "" if default is None else code(default)
        yield code(f"{prefix}{name.upper()}"), shown, sentence(described[name])

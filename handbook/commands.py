"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from cli import main
from handbook.markdown import code, page, table

Parameter = TyperArgument | TyperOption
KINDS = {int: "number", float: "number", str: "text", Path: "path"}


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Every command that does something, with its full name, in the order of `labctl --help`."""
    yield from _below("labctl", typer.main.get_command(main.app))


def parameters(command: TyperCommand) -> list[Parameter]:
    """What a command takes, `--help` apart."""
    return [one for one in command.params if isinstance(one, TyperArgument | TyperOption) and one.name != "help"]


def reference() -> str:
    """The page."""
    return page(
        "Commands",
        "the commands of `cli/`",
        "Durations are written `500ms`, `30s`, `2m` or `1h`. `--help` after any command says the same as this page. "
        "What is not given is taken from the [settings](settings.md); how commands end is under [exit codes](errors.md).",
        *(_command(name, command) for name, command in commands()),
    )


def _below(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for word, below in command.commands.items():
            yield from _below(f"{name} {word}", below)
    elif isinstance(command, TyperCommand):
        yield name, command


def _command(name: str, command: TyperCommand) -> str:
    arguments = [one for one in parameters(command) if isinstance(one, TyperArgument)]
    options = [one for one in parameters(command) if isinstance(one, TyperOption)]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *(_placeholder(argument) for argument in arguments)])
    return "\n\n".join(
        part
        for part in (
            f"## {name}",
            " ".join((command.help or "").split()),
            f"```text\n{usage}\n```",
            table(("argument", "what it is"), ((code(_placeholder(one)), _help(one)) for one in arguments)),
            table(("option", "value", "default", "what it does"), (_option(one) for one in options)),
        )
        if part
    )


def _placeholder(argument: TyperArgument) -> str:
    name = (argument.name or "").upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _option(option: TyperOption) -> tuple[str, str, str, str]:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    variable = f" Else `{option.envvar}`." if option.envvar else ""
    value = "" if option.is_flag else code(_value(option))
    return names, value, code(_default(option)), _help(option) + variable + (" Required." if option.required else "")


def _value(option: TyperOption) -> str:
    if option.metavar:
        return option.metavar
    kind = option.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    bounds = {
        (False, False): "",
        (True, False): f" ≥ {option.min}",
        (False, True): f" ≤ {option.max}",
        (True, True): f" {option.min}–{option.max}",
    }
    return KINDS[kind] + bounds[option.min is not None, option.max is not None]


def _default(option: TyperOption) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    default = option.default
    if default is None or option.is_flag or default == "":
        return ""
    if option.metavar == "DURATION":
        return f"{default:g}s"
    return str(getattr(default, "value", default))


def _help(parameter: Parameter) -> str:
    return " ".join((parameter.help or "").split())

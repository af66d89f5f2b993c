"""Options that several commands have, written once: `Where` is for all that talk to a lab, `Common` for every strategy.

`with_common` gives a command's function those of its first argument beside its own. Typer reads a function's signature, so
the signature is put together: the command's own options first, then the common ones.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo

from cli.completing import versions
from cli.live import Talk
from cli.parameters import duration, part
from cli.platforms import Chosen, ContextOption, NamespaceOption, PlatformOption, choose
from strategies.errors import UsageError
from strategies.run import JudgeOptions, LoadOptions


def seconds(help_text: str, *names: str, default: str | bool = False) -> OptionInfo:
    """An option that is given as 500ms, 30s or 2m; `default` is how the help writes its default."""
    option: OptionInfo = typer.Option(*names, parser=duration, metavar="DURATION", help=help_text, show_default=default)
    return option


def replicas_or_percent(help_text: str, *, default: str) -> OptionInfo:
    """An option that is given as a number of replicas or as 25%; `default` is how the help writes its default."""
    option: OptionInfo = typer.Option(parser=part, metavar="NUMBER|PERCENT%", help=help_text, show_default=default)
    return option


class Drift(StrEnum):
    """What to do when somebody else changes the routes."""

    STOP = "stop"
    RECLAIM = "reclaim"


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which lab a command talks to; what is left out is told by LAB_ variables, else by `labctl.toml`."""

    platform: PlatformOption = ""
    context: ContextOption = ""
    namespace: NamespaceOption = ""

    def chosen(self, **more: str) -> Chosen:
        """The platform, with all its settings; `more` are a command's own flags by the names of settings, empty where not given.

        Raises:
            UsageError: there is no such platform, or its settings make no sense.
        """
        return choose(self.platform, self.context, self.namespace, more=more)

    def typed(self) -> tuple[str, ...]:
        """The options as one types them, for another labctl that is to talk to the same lab."""
        given = {"--platform": self.platform, "--context": self.context, "--namespace": self.namespace}
        return tuple(word for option, value in given.items() if value for word in (option, value))


@dataclass(frozen=True, kw_only=True)
class Common(Where):
    """What a person may choose for any strategy; durations are seconds, margin and detect are points of a ratio in percent."""

    to: Annotated[str, typer.Option(help="The version to roll out.", autocompletion=versions)] = "v2"
    from_version: Annotated[
        str, typer.Option("--from", help="The version to start with (v1), only where no lab runs yet.", autocompletion=versions)
    ] = ""
    baseline: Annotated[float, seconds("How long stable is watched before.", default="5s")] = 5.0
    replicas: Annotated[int, typer.Option(min=0, help="How many replicas all the traffic needs; 0: as many as serve now, else 2.")] = 0
    rate: Annotated[float, typer.Option(min=0, help="Requests per second of all users; 0 for none.")] = 50.0
    users: Annotated[int, typer.Option(min=1, help="How many users share the requests.")] = 100
    seed: Annotated[int, typer.Option(help="Of the users' schedule.")] = 1
    timeout: Annotated[float, seconds("How long a deployment, a change of routes or a drain may take.", default="60s")] = 60.0
    objective: Annotated[
        float | None, seconds("Slower requests count as slow. Default: 5 times stable's p99 in the baseline.", "--objective-latency")
    ] = None
    margin: Annotated[float, typer.Option(min=0, max=99, help="Points by which the candidate may be worse than stable.")] = 2.0
    detect: Annotated[float, typer.Option(min=0.1, max=99, help="Points of harm beyond the margin that must not stay unseen.")] = 10.0
    port: Annotated[int, typer.Option(min=0, max=65535, help="The gateway's port where no lab runs yet; 0 for a free one.")] = 0
    force: Annotated[bool, typer.Option("--force", help="Roll out what is stable already beside itself: an A/A run.")] = False
    supersede: Annotated[bool, typer.Option("--supersede", help="End a rollout that is under way first, instead of being refused.")] = False
    on_drift: Annotated[
        Drift, typer.Option(help="When somebody else changes the routes on a cluster: stop and go back, or reclaim them and go on.")
    ] = Drift.STOP
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and the routes; touch nothing.")] = False
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, the rest on stderr.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while it runs, only what it cost.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say each look at the users' counts.")] = False

    def talk(self) -> Talk:
        """How much is said.

        Raises:
            UsageError: both were asked for.
        """
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose cannot both be; choose one")
        return Talk.QUIET if self.quiet else Talk.VERBOSE if self.verbose else Talk.NORMAL

    def load(self, **more: Any) -> LoadOptions:
        """The users."""
        return LoadOptions(rate=self.rate, users=self.users, seed=self.seed, **more)

    def judge(self, **more: Any) -> JudgeOptions:
        """How strictly the candidate is judged."""
        return JudgeOptions(margin=self.margin / 100, detect=self.detect / 100, objective=self.objective, **more)


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose function takes `Where` or `Common` as its first argument, with all of its fields as options."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    first, *own = inspect.signature(command, eval_str=True).parameters.values()
    group: type[Where] = first.annotation
    hints = get_type_hints(group, include_extras=True)
    common = [inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name]) for field in fields(group)]

    def wrapped(**options: Any) -> None:
        chosen = {parameter.name: options.pop(parameter.name) for parameter in common}
        command(group(**chosen), **options)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    signature = inspect.Signature([*(parameter.replace(kind=keyword) for parameter in own), *common])
    wrapped.__signature__ = signature  # type: ignore[attr-defined]  # what inspect.signature reads first
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    return wrapped

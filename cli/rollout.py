"""`labctl rollout STRATEGY`: performs it, judges it, promotes or rolls back, writes a report."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli.common_options import Common, Drift, replicas_or_percent, seconds, with_common
from cli.parameters import Part, match_of, weights
from cli.performing import Asked, Stable, perform, print_plan
from strategies.ab_test import AbTestOptions
from strategies.ab_test import ab_test as plan_ab_test
from strategies.blue_green import BlueGreenOptions
from strategies.blue_green import blue_green as plan_blue_green
from strategies.canary import CanaryOptions
from strategies.canary import canary as plan_canary
from strategies.errors import UsageError
from strategies.in_place import InPlaceOptions
from strategies.in_place import recreate as plan_recreate
from strategies.in_place import rolling as plan_rolling
from strategies.plan import Plan, Release
from strategies.run import LoadOptions
from strategies.shadow import ShadowOptions
from strategies.shadow import shadow as plan_shadow
from strategies.traffic import Match

app = typer.Typer(no_args_is_help=True, help="Put the next version live, and measure what it costs the users.")

ONE, NONE = Part(number=1), Part(number=0)
Hold = Annotated[float, seconds("How long each share is analysed.", default="55s")]
Keep = Annotated[float, seconds("How long the old version stays warm after.", default="5s")]
Manual = Annotated[bool, typer.Option("--manual", help="After each analysis wait for `labctl promote` or `labctl abort`.")]


@app.callback()
def rollout() -> None:
    """Put the next version live, and measure what it costs the users."""


@app.command()
@with_common
def canary(
    common: Common,
    weight: Annotated[int, typer.Option(help="Percent of the requests that the candidate is judged with.")] = 10,
    steps: Annotated[str, typer.Option(help="Several shares one after the other, such as 10,25,50; instead of --weight.")] = "",
    hold: Hold = 55.0,
    keep: Keep = 5.0,
    manual: Manual = False,
) -> None:
    """A growing share of the users gets the new version; each share is judged before the next."""
    chosen = weights(steps) if steps else (weight,)
    _carry_out(
        common,
        lambda stable: plan_canary(CanaryOptions(weights=chosen, manual=manual, hold=hold, keep=keep, **_for_all(common, stable))),
    )


@app.command()
@with_common
def recreate(
    common: Common,
    hold: Annotated[float, seconds("How long the new version is analysed after the exchange.", default="55s")] = 55.0,
) -> None:
    """All of the old away, then the new, in the same place: the gap is real, and measured."""
    _carry_out(common, lambda stable: plan_recreate(InPlaceOptions(hold=hold, **_for_all(common, stable))))


@app.command()
@with_common
def rolling(
    common: Common,
    max_surge: Annotated[
        Part,
        replicas_or_percent("How many more replicas than needed there may be meanwhile: 1, or 25%, rounded up.", default="1"),
    ] = ONE,
    max_unavailable: Annotated[
        Part,
        replicas_or_percent("How many fewer than needed may be ready meanwhile: 0, or 25%, rounded down.", default="0"),
    ] = NONE,
    hold: Annotated[float, seconds("How long the new version is analysed after the exchange.", default="55s")] = 55.0,
) -> None:
    """Replica by replica in the same place, until all are new."""

    def plan(stable: Stable) -> Plan:
        for_all = _for_all(common, stable)
        surge, unavailable = max_surge.at_least(for_all["replicas"]), max_unavailable.at_most(for_all["replicas"])
        return plan_rolling(InPlaceOptions(hold=hold, max_surge=surge, max_unavailable=unavailable, **for_all))

    _carry_out(common, plan)


@app.command(name="blue-green")
@with_common
def blue_green(
    common: Common,
    preview: Annotated[
        float, seconds("How long the candidate is analysed on requests of our own before the switch.", default="20s")
    ] = 20.0,
    preview_rate: Annotated[float, typer.Option(min=0.1, help="Requests per second of our own to the preview.")] = 20.0,
    hold: Annotated[float, seconds("How long it is analysed after the switch.", default="30s")] = 30.0,
    keep: Annotated[float, seconds("How long the old version stays warm after.", default="30s")] = 30.0,
    manual: Annotated[bool, typer.Option("--manual", help="Before the switch wait for `labctl promote` or `labctl abort`.")] = False,
) -> None:
    """The new version beside the old one at full size, tried on load of our own, then one switch for everybody."""
    _carry_out(
        common,
        lambda stable: plan_blue_green(BlueGreenOptions(preview=preview, hold=hold, keep=keep, manual=manual, **_for_all(common, stable))),
        preview_rate=preview_rate,
    )


@app.command(name="ab-test")
@with_common
def ab_test(
    common: Common,
    match: Annotated[str, typer.Option(help="Who gets the candidate: x-user-group=beta, or cookie:NAME=VALUE; instead of --split.")] = "",
    group_share: Annotated[int, typer.Option(min=0, max=99, help="Percent of the lab's users who are given what --match asks for.")] = 50,
    split: Annotated[int, typer.Option(help="Percent of the users who get the candidate and stay there.")] = 50,
    promote_winner: Annotated[bool, typer.Option("--promote-winner", help="A candidate that is found better gets everybody.")] = False,
    hold: Annotated[float, seconds("How long the experiment runs at most.", default="60s")] = 60.0,
    keep: Keep = 5.0,
) -> None:
    """Two groups of users, each with its version: whose answers are right more often?"""
    chosen = match_of(match, group_share) if match else None
    # a cookie from another run must have no effect
    token = secrets.token_hex(4)
    _carry_out(
        common,
        lambda stable: plan_ab_test(
            AbTestOptions(
                match=chosen,
                share=split,
                token=token,
                promote_winner=promote_winner,
                hold=hold,
                keep=keep,
                **_for_all(common, stable),
            )
        ),
        common.load(feedback=True, cookies=chosen is None, **_group(chosen)),
    )


@app.command()
@with_common
def shadow(
    common: Common,
    mirror: Annotated[int, typer.Option(help="Percent of the requests of which the candidate gets a copy.")] = 100,
    mirror_writes: Annotated[bool, typer.Option("--mirror-writes", help="Copy also what changes something, such as feedback.")] = False,
    max_disagreement: Annotated[float, typer.Option(min=0, max=99, help="Percent of the answers that may differ.")] = 10.0,
    promote: Annotated[bool, typer.Option("--promote", help="A candidate that is judged good gets everybody.")] = False,
    hold: Hold = 55.0,
    keep: Keep = 5.0,
) -> None:
    """The candidate gets a copy of the requests, and nobody gets its answers."""
    _carry_out(
        common,
        lambda stable: plan_shadow(
            ShadowOptions(mirror=mirror, mirror_writes=mirror_writes, promote=promote, hold=hold, keep=keep, **_for_all(common, stable))
        ),
        max_disagreement=max_disagreement / 100,
    )


def _group(match: Match | None) -> dict[str, Any]:
    """What the lab's users send who are to match."""
    if match is None:
        return {}
    return {"group_header": f"cookie:{match.name}" if match.cookie else match.name, "group_value": match.value, "group_share": match.share}


def _for_all(common: Common, stable: Stable) -> dict[str, Any]:
    """What all plans have in common.

    Raises:
        UsageError: nobody says how many replicas all the traffic needs.
    """
    replicas, release = common.replicas or stable.release.replicas, stable.release
    if not replicas:
        raise UsageError(f"{release.version} has been scaled to no replica; say by --replicas how many all the traffic needs")
    return {
        "to_version": common.to,
        # a way back to none would lead users to nobody
        "before": release if release.replicas else Release(version=release.version, replicas=replicas),
        "stable": stable.slot,
        "replicas": replicas,
        "baseline": common.baseline,
    }


def _carry_out(common: Common, plan: Callable[[Stable], Plan], load: LoadOptions | None = None, **judging: Any) -> None:
    if common.timeout <= 0:
        raise UsageError("--timeout is more than 0 seconds")
    asked = Asked(
        plan=plan,
        to_version=common.to,
        from_version=common.from_version,
        load=load or common.load(),
        judge=common.judge(**judging),
        timeout=common.timeout,
        port=common.port,
        force=common.force,
        supersede=common.supersede,
        talk=common.talk(),
        where=common,
        reclaim=common.on_drift is Drift.RECLAIM,
    )
    if common.dry_run:
        print_plan(asked, as_json=common.as_json)
    else:
        perform(asked, as_json=common.as_json)

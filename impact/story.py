"""A run told in one paragraph, with its numbers, for somebody who has never seen the lab."""

from collections.abc import Iterator, Sequence

from impact import wording
from impact.figures import MetricVerdict
from impact.summary import Summary
from strategies.events import Outcome
from strategies.judgement import Count, Verdict

ASKED = {
    "ab-test": "{new} was to be compared with {old} on the users by {strategy}",
    "shadow": "{new} was to be tried beside {old} by {strategy}",
}
"""What was to be done, where not everybody was to get the new version."""

IDEAS = {
    "canary": "a growing share of the users got it, and each share was judged before the next",
    "recreate": "all of the old version was ended before the new one was started in its place",
    "rolling": "the old version's replicas were exchanged for new ones a few at a time",
    "blue-green": "it was started beside the old version at full scale and tried there before everybody was switched over",
    "ab-test": "two groups of users got one version each, and what they got out of it was compared",
    "shadow": "it got copies of the users' requests, and nobody got its answers",
    "undo": "it had been there before, and everybody got it again without steps",
}
BAD = {
    "failed": "of its requests failed",
    "slow": "of its requests took longer than {objective}",
    "wrong": "of its answers were wrong",
    "disagreement": "of its answers were not those of the old version",
}


def story(summary: Summary) -> list[str]:
    """What was done, how it ended and why, in sentences."""
    return [_what(summary), *_who(summary), *_gap(summary), *_judged(summary), _end(summary)]


def _what(summary: Summary) -> str:
    if summary.from_version == summary.to_version:
        return f"Users sent requests to {summary.to_version}, and nothing was changed meanwhile."
    idea = IDEAS.get(summary.strategy)
    asked = ASKED.get(summary.strategy, "{new} was to take the place of {old} by {strategy}")
    said = asked.format(new=summary.to_version, old=summary.from_version, strategy=summary.strategy)
    return f"{said}: {idea}." if idea else f"{said}."


def _who(summary: Summary) -> list[str]:
    totals = summary.totals
    if not totals.requests or summary.from_version == summary.to_version:
        return []
    got = sum(
        figures.requests
        for phase in summary.phases
        for figures in (phase.roles.stable, phase.roles.candidate)
        if figures.version == summary.to_version
    )
    rate = "" if totals.achieved_rate is None else f", {totals.achieved_rate:.0f} a second"
    return [
        f"Meanwhile {totals.users} users sent {totals.requests} requests{rate}; "
        f"{wording.share(got, totals.requests)} of them went to {summary.to_version}."
    ]


def _gap(summary: Summary) -> list[str]:
    """What it cost the users that nobody was there for a while, where that is how it is done."""
    totals = summary.totals
    if summary.strategy != "recreate" or not totals.failed:
        return []
    gap = f"; the longest time in which every one did was {wording.duration(totals.downtime_seconds)}" if totals.downtime_seconds else ""
    return [f"Of all requests {wording.share(totals.failed, totals.requests)} failed{gap}."]


def _judged(summary: Summary) -> list[str]:
    """The verdict that decided: the first that failed, else that of the last phase in which anything was judged."""
    failed = [verdict for verdict in summary.verdicts if verdict.verdict is Verdict.FAIL]
    if failed:
        return [_harm(summary, verdict) for verdict in failed]
    last = [verdict for verdict in summary.verdicts if verdict.phase == summary.verdicts[-1].phase]
    if last and all(verdict.verdict is Verdict.PASS for verdict in last):
        most = max(verdict.candidate.n for verdict in last)
        allowed = "; ".join(f"{metric} {points}" for metric, points in _allowed(last))
        return [
            f"It was judged by {most} of {_judged_requests(summary, last[0].phase)}, and in nothing was it found worse than "
            f"{summary.from_version} by more than what was allowed ({allowed})."
        ]
    short = [verdict for verdict in last if verdict.verdict is Verdict.INCONCLUSIVE]
    if short and summary.outcome is Outcome.INCONCLUSIVE:
        least = max(short, key=lambda verdict: verdict.needed)
        return [f"It was judged by {least.candidate.n} of its requests, and to tell takes about {least.needed}."]
    if summary.outcome is Outcome.ROLLED_BACK:
        # an experiment on users has no verdict by metric; its own words tell what was found
        return [f"What was found: {summary.reason.removesuffix('; rolled back, stable has all the traffic')}."]
    return []


def _allowed(verdicts: Sequence[MetricVerdict]) -> Iterator[tuple[str, str]]:
    """The metrics with the harm that was allowed, those together that were allowed the same."""
    for margin in dict.fromkeys(verdict.margin for verdict in verdicts):
        names = ", ".join(verdict.metric for verdict in verdicts if verdict.margin == margin)
        yield names, f"{100 * margin:g} points"


def _judged_requests(summary: Summary, phase: str) -> str:
    """Whose requests the verdict of a phase counts: users met the new version, or only copies and our own requests did."""
    met = any(figures.name == phase and figures.roles.candidate.requests for figures in summary.phases)
    if met or summary.strategy in {"recreate", "rolling"}:
        return "its requests"
    return "the copied requests" if summary.strategy == "shadow" else "our own requests to it"


def _harm(summary: Summary, verdict: MetricVerdict) -> str:
    """What was found, with both counts and the time that it took."""
    began = max((phase.started for phase in summary.phases if phase.started <= verdict.at), default=summary.started)
    what = BAD.get(verdict.metric, f"of its requests were bad ({verdict.metric})").format(
        objective=wording.duration(summary.objective_seconds)
    )
    return (
        f"In the phase “{verdict.phase}”, {wording.duration((verdict.at - began).total_seconds())} after it began, "
        f"{_of(verdict.candidate)} {what}{_whose(summary, verdict.phase)}, against {_of(verdict.stable)} at {summary.from_version}: "
        f"it is proved that this is worse by more than the {100 * verdict.margin:g} points that were allowed."
    )


def _whose(summary: Summary, phase: str) -> str:
    requests = _judged_requests(summary, phase)
    return "" if requests == "its requests" else f" ({requests}; no user got these answers)"


def _end(summary: Summary) -> str:
    left = f" Still to be done: {summary.left}." if summary.left else ""
    match summary.outcome:
        case Outcome.PROMOTED:
            return f"So it was promoted, and {summary.to_version} serves everybody now.{left}"
        case Outcome.COMPLETED if summary.strategy == "shadow":
            return (
                f"So the trial is over: {summary.to_version} is gone, and {summary.from_version} serves everybody, as all the time.{left}"
            )
        case Outcome.COMPLETED if summary.strategy == "ab-test":
            found = summary.reason.partition("; the experiment is over")[0]
            return f"What was found: {found}. So the experiment is over, and {summary.from_version} serves everybody again.{left}"
        case Outcome.COMPLETED:
            return f"It ended as it should: {summary.reason}.{left}"
        case Outcome.ROLLED_BACK:
            return f"So it was taken back, and {summary.from_version} serves everybody again.{left}"
        case Outcome.INCONCLUSIVE:
            return f"That was too little to put it live, so it was taken back; {summary.from_version} serves everybody.{left}"
        case Outcome.ERROR | Outcome.INTERRUPTED:
            return f"It did not come to its end: {summary.reason}.{left}"
        case None:
            return "It has not ended, or was killed."


def _of(count: Count) -> str:
    """A count as "17 of 36 (47.2 %)"."""
    return f"{count.bad} of {count.n}" + ("" if count.ratio is None else f" ({100 * count.ratio:.1f} %)")

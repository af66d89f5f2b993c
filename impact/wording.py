"""A summary in words: the same sentences and number formats on the terminal and in the HTML report."""

from impact import copying
from impact.figures import PhaseFigures, RoleFigures
from impact.summary import Summary
from strategies.events import Outcome
from strategies.run import Run

UNKNOWN = "–"

OUTCOMES = {
    Outcome.PROMOTED: "promoted",
    Outcome.COMPLETED: "completed",
    Outcome.ROLLED_BACK: "judged bad and rolled back",
    Outcome.INCONCLUSIVE: "inconclusive, rolled back",
    Outcome.ERROR: "ended by an error",
    Outcome.INTERRUPTED: "interrupted, rolled back",
    None: "not ended",
}


def headline(summary: Summary) -> str:
    """What was tried and how it ended."""
    code = "" if summary.exit_code is None else f" (exit code {summary.exit_code})"
    return f"{_tried(summary.strategy, summary.from_version, summary.to_version)}: {OUTCOMES[summary.outcome]}{code}"


def tried(run: Run) -> str:
    """What is tried, of a run that may not have ended."""
    return _tried(run.plan.strategy, run.from_version, run.to_version)


def account(summary: Summary) -> list[str]:
    """What it cost the users, in sentences with numbers."""
    totals = summary.totals
    if not totals.requests:
        return ["No request of a user is known here, so nothing can be said about users.", *_machine(summary)]
    unattributed = f", {totals.unattributed} of them charged to no version" if totals.unattributed else ""
    slow = "" if totals.slow is None else f", {share(totals.slow, totals.requests)} took longer than {duration(summary.objective_seconds)}"
    return [
        f"Of {totals.requests} requests {share(totals.failed, totals.requests)} failed{unattributed}{slow}, "
        f"and {share(totals.wrong, totals.requests)} got a wrong answer.",
        f"The longest time in which every request failed was {duration(totals.downtime_seconds)}."
        if totals.downtime_seconds
        else "At no time did every request fail.",
        f"Of {totals.users} users {totals.users_met_both} met both versions{_while(summary)} and {totals.users_met_bad} a failed request "
        "or a wrong answer.",
        *_copied(summary),
        *_rollback(summary),
        *_machine(summary),
    ]


def totals(summary: Summary) -> list[tuple[str, str]]:
    """What is told about the whole run, as names and values."""
    figures = summary.totals
    return [
        ("requests sent", str(figures.requests)),
        ("failed", share(figures.failed, figures.requests)),
        ("charged to no slot", str(figures.unattributed)),
        ("slow", UNKNOWN if figures.slow is None else share(figures.slow, figures.requests)),
        ("wrong answers", share(figures.wrong, figures.requests)),
        ("never sent", str(figures.unsent)),
        ("downtime", duration(figures.downtime_seconds) if figures.requests else UNKNOWN),
        ("users", str(figures.users)),
        (f"met both versions{_while(summary)}", share(figures.users_met_both, figures.users)),
        ("met something bad", share(figures.users_met_bad, figures.users)),
        ("scheduled", UNKNOWN if figures.intended_rate is None else f"{figures.intended_rate:.1f} requests/s"),
        ("achieved", UNKNOWN if figures.achieved_rate is None else f"{figures.achieved_rate:.1f} requests/s"),
        ("generator's lateness, p99, ms", milliseconds(summary.generator.lateness_p99_ms)),
        ("first candidate answer after", duration(summary.first_candidate_answer_seconds)),
        ("decision to last candidate request", duration(summary.rollback_seconds)),
        ("draining", duration(summary.drain_seconds)),
        ("extra replica-seconds", f"{summary.extra_pod_seconds:.1f}"),
    ]


def role_rows(phase: PhaseFigures) -> list[tuple[str, ...]]:
    """Who was sent to in a phase: the role, requests, failed, slow, wrong and the latencies in ms, as text.

    A role that was to get nothing and got nothing has no row; in place, neither has one that nobody met.
    """
    in_place = phase.roles.stable.slot is phase.roles.candidate.slot
    rows = [
        _role_row(role, figures)
        for role, figures, intended in (
            ("stable", phase.roles.stable, 100 - phase.intended_weight),
            ("candidate", phase.roles.candidate, phase.intended_weight),
        )
        if figures.requests or (intended and not in_place)
    ]
    if phase.unattributed:
        rows.append(("charged to nobody", str(phase.unattributed), str(phase.unattributed), *[UNKNOWN] * 5))
    return rows


def share(part: int, of: int) -> str:
    """`part` of `of` as a number and, where there is anything to divide by, in percent."""
    return f"{part} ({100 * part / of:.1f} %)" if of and part else str(part)


def fact(value: float | str | None) -> str:
    """Something measured, with the digits that mean something, or that it is not known."""
    return UNKNOWN if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def percent(value: float | None) -> str:
    """A percentage, or that it is not known."""
    return UNKNOWN if value is None else f"{value:.3g} %"


def milliseconds(value: float | None) -> str:
    """Milliseconds without their unit, with the digits that mean something."""
    return UNKNOWN if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """A time in the unit that reads best, or that it is not known."""
    if seconds is None:
        return UNKNOWN
    if seconds == 0:
        return "0 s"
    if seconds < 1:
        return f"{milliseconds(seconds * 1000)} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _tried(strategy: str, before: str, after: str) -> str:
    return f"{strategy} {before}" if before == after else f"{strategy} {before} → {after}"


def _while(summary: Summary) -> str:
    """When users who met both versions are counted: before an experiment everybody had the same."""
    return " during the experiment" if summary.strategy == "ab-test" else ""


def _role_row(role: str, figures: RoleFigures) -> tuple[str, ...]:
    slow = UNKNOWN if figures.slow is None else str(figures.slow)
    latencies = (milliseconds(value) for value in (figures.p50_ms, figures.p95_ms, figures.p99_ms))
    return (f"{role} {figures.version}", str(figures.requests), str(figures.failed), slow, str(figures.wrong), *latencies)


def _copied(summary: Summary) -> list[str]:
    """What the copies of a shadow did to the users' own requests."""
    felt = copying.felt(summary.findings)
    told = "; ".join(f"{each.percentile} {milliseconds(each.copied)} ms against {milliseconds(each.before)} ms before" for each in felt)
    return [f"While their requests were copied, users waited: {told}."] if felt else []


def _rollback(summary: Summary) -> list[str]:
    if summary.rollback_seconds is None:
        return []
    if not summary.rollback_seconds:
        return ["After the decision to go back no request went to the candidate any more."]
    return [f"The last request that went to the candidate was sent {duration(summary.rollback_seconds)} after the decision to go back."]


def _machine(summary: Summary) -> list[str]:
    pods = f"It took {summary.extra_pod_seconds:.0f} replica-seconds beyond what the traffic needs."
    return [pods, summary.generator.warning] if summary.generator.warning else [pods]

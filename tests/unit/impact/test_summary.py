"""A summary tells what the record and the users' log hold, no more: counted by hand here."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from impact.figures import PhaseFigures, RoleFigures
from impact.summary import Summary, summarise
from impact.userlog import Request, UserLog
from strategies.ab_test import AbTestOptions, ab_test
from strategies.events import (
    AnyEvent,
    Ended,
    Looked,
    Noted,
    ObjectiveSet,
    Outcome,
    PhaseStarted,
    Settled,
    StepEnded,
    StepStarted,
    Witnessed,
)
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict
from strategies.run import Run
from strategies.traffic import Slot
from strategies.userlog import Row
from tests.unit.impact.recorded_run import ENVIRONMENT, a_run, at, carried_out, row, write_rows

BASELINE, DEPLOY, ROUTE, ANALYSE, DEPLOY_ALL, ROUTE_ALL, PROMOTE, HOLD, DRAIN, RETIRE = range(10)


def requests(rows: Sequence[Row]) -> list[Request]:
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder) / "001.csv", rows)
        return list(UserLog(Path(folder)).poll())


def summary_of(run: Run, events: Sequence[AnyEvent], rows: Sequence[Row] = ()) -> Summary:
    return summarise(run, events, requests(rows), ENVIRONMENT)


def began(second: float, index: int, *, way_back: bool = False) -> StepStarted:
    return StepStarted(at=at(second), index=index, title="", way_back=way_back)


def done(second: float, index: int, *, way_back: bool = False) -> StepEnded:
    return StepEnded(at=at(second), index=index, way_back=way_back)


def phase(second: float, name: str, weight: int) -> PhaseStarted:
    return PhaseStarted(at=at(second), name=name, weight=weight)


def settled(second: float, weight: int, seconds: float) -> Settled:
    return Settled(at=at(second), weight=weight, seconds=seconds, candidate=1, answers=9, probes=0)


def looked(second: float, verdict: Verdict, bad: int = 0) -> Looked:
    metric = MetricJudgement(
        metric="failed",
        candidate=Count(bad, 10),
        stable=Count(0, 90),
        margin=0.02,
        verdict=verdict,
        evidence=1.5 * bad,
        limit=4.1,
        needed=94,
        explanation=f"{bad} of 10",
    )
    return Looked(at=at(second), judgement=Judgement(verdict=verdict, reason="", metrics=(metric,)))


ROLLED_BACK: tuple[AnyEvent, ...] = (
    began(0, BASELINE),
    phase(0, "baseline", 0),
    ObjectiveSet(at=at(5), seconds=0.05, source="stable"),
    done(5, BASELINE),
    began(5, DEPLOY),
    phase(5, "deploy v2 ×1", 0),
    done(8, DEPLOY),
    began(8, ROUTE),
    phase(8, "10 %", 10),
    settled(9, 10, 1.0),
    done(9, ROUTE),
    began(9, ANALYSE),
    looked(10, Verdict.INCONCLUSIVE, 1),
    looked(11, Verdict.FAIL, 3),
    began(11.5, 0, way_back=True),
    phase(11.5, "way back", 0),
    settled(12, 0, 0.5),
    done(12, 0, way_back=True),
    began(12, 1, way_back=True),
    done(12.7, 1, way_back=True),
    began(12.7, 2, way_back=True),
    done(13, 2, way_back=True),
    Witnessed(at=at(13), prometheus={"green": Count(1, 4)}, users={"green": Count(1, 5)}),
    Noted(at=at(13), text="the disk was slow"),
    Ended(at=at(13), outcome=Outcome.ROLLED_BACK, exit_code=1, reason="too many failed", left=""),
)

ROWS = (
    row(1.0, user=1),
    row(2.0, user=2, latency="0.060000"),
    row(8.5, "green", user=3),
    row(9.5, user=3),
    row(9.6, "green", user=4, status=500, failure="status", predicted="", latency="0.020000"),
    row(9.7, "green", user=5, predicted="malignant"),
    row(9.8, user=5),
    row(10.0, "", user=6, status=0, failure="connection", predicted="", latency="0.001000"),
    row(11.2, "green", user=7),
    row(12.2, user=7),
    row(12.3, "", user=8, sent="", latency="", status=0, failure="unsent", predicted=""),
)


def rolled_back() -> Summary:
    return summary_of(a_run(), ROLLED_BACK, ROWS)


def by_name(summary: Summary) -> dict[str, PhaseFigures]:
    return {found.name: found for found in summary.phases}


def test_how_the_run_ended_is_told_as_it_was_written_down() -> None:
    summary = rolled_back()

    assert (summary.outcome, summary.exit_code, summary.reason) == (Outcome.ROLLED_BACK, 1, "too many failed")
    assert (summary.started, summary.ended) == (at(0), at(13))
    assert (summary.strategy, summary.from_version, summary.to_version) == ("canary", "v1", "v2")
    assert summary.notes == ("the disk was slow",)


def test_phases_follow_each_other_without_a_gap() -> None:
    assert [(found.name, found.seconds, found.intended_weight) for found in rolled_back().phases] == [
        ("baseline", 5.0, 0),
        ("deploy v2 ×1", 3.0, 0),
        ("10 %", 3.5, 10),
        ("way back", 1.5, 0),
    ]


def test_requests_count_in_the_phase_they_were_sent_in_and_for_the_slot_they_are_charged_to() -> None:
    phases = by_name(rolled_back())

    assert phases["baseline"].roles.stable == RoleFigures(
        slot=Slot.BLUE, version="v1", requests=2, failed=0, slow=1, wrong=0, p50_ms=10.0, p95_ms=60.0, p99_ms=60.0
    )
    assert phases["10 %"].roles.candidate == RoleFigures(
        slot=Slot.GREEN, version="v2", requests=4, failed=1, slow=0, wrong=1, p50_ms=10.0, p95_ms=20.0, p99_ms=20.0
    )
    assert phases["10 %"].unattributed == 1


def test_a_role_without_requests_has_no_latency() -> None:
    candidate = by_name(rolled_back())["baseline"].roles.candidate

    assert candidate.requests == 0
    assert (candidate.p50_ms, candidate.p95_ms, candidate.p99_ms) == (None, None, None)


def test_the_served_share_counts_attributed_requests_since_the_share_settled() -> None:
    """Of 9.5, 9.6, 9.7, 9.8 and 11.2 three went to the candidate; 8.5 was too early, and 10.0 went nobody knows where."""
    phases = by_name(rolled_back())

    assert phases["10 %"].served_weight == 60.0
    assert phases["10 %"].settle_seconds == 1.0
    assert phases["way back"].settle_seconds == 0.5


def test_a_phase_that_changes_no_share_is_settled_from_its_start() -> None:
    baseline = by_name(rolled_back())["baseline"]

    assert (baseline.served_weight, baseline.settle_seconds) == (0.0, None)


def test_a_share_without_attributed_requests_is_not_known() -> None:
    assert by_name(rolled_back())["deploy v2 ×1"].served_weight is None


def test_a_share_that_never_settled_is_not_known() -> None:
    events = [event for event in ROLLED_BACK if not isinstance(event, Settled)]

    assert by_name(summary_of(a_run(), events, ROWS))["10 %"].served_weight is None


def test_totals_are_over_the_whole_log() -> None:
    totals = rolled_back().totals

    assert (totals.requests, totals.failed, totals.unattributed, totals.slow, totals.wrong, totals.unsent) == (10, 2, 1, 1, 1, 1)
    assert (totals.users, totals.users_met_both, totals.users_met_bad) == (7, 3, 3)
    assert totals.downtime_seconds == pytest.approx(1.2)
    assert totals.intended_rate == pytest.approx(10 / 11.3)
    assert totals.achieved_rate == pytest.approx(9 / 11.2)


def test_both_versions_are_told_over_the_whole_run() -> None:
    summary = summary_of(a_run(), ROLLED_BACK, ROWS)
    rows = [row for row in ROWS if row.sent]

    for version, figures in (("v1", summary.versions.old), ("v2", summary.versions.new)):
        own = [row for row in rows if row.slot == figures.slot]
        assert figures.version == version
        assert figures.requests == len(own) > 0
        assert figures.p99_ms == max(1000 * float(row.latency) for row in own if int(row.status))


def test_in_an_experiment_only_its_own_users_can_meet_both_versions() -> None:
    """Everybody had stable before it and has it after it; who changes within it did not stay."""
    run = msgspec.structs.replace(a_run(), plan=ab_test(AbTestOptions(to_version="v2", stable=Slot.BLUE)))
    events = [*ROLLED_BACK[:10], done(9, ROUTE), began(9, ANALYSE), began(12, 4), phase(12, "0 %", 0)]
    rows = (
        row(1.0, user=1),
        row(8.5, user=2),
        row(9.1, "green", user=1),
        row(9.2, "green", user=2),
        row(9.3, user=3),
        row(9.4, "green", user=3),
        row(12.5, user=1),
    )

    assert summary_of(run, events, rows).totals.users_met_both == 1
    assert summary_of(a_run(), events, rows).totals.users_met_both == 3


def test_without_an_objective_nothing_is_known_about_slow_requests() -> None:
    events = [event for event in ROLLED_BACK if not isinstance(event, ObjectiveSet)]
    summary = summary_of(a_run(), events, ROWS)

    assert (summary.objective_seconds, summary.totals.slow, summary.phases[0].roles.stable.slow) == (None, None, None)


def test_the_verdict_of_an_analysis_is_its_last_look() -> None:
    (verdict,) = rolled_back().verdicts

    assert (verdict.phase, verdict.metric, verdict.verdict, verdict.at) == ("10 %", "failed", Verdict.FAIL, at(11))
    assert (verdict.candidate, verdict.stable, verdict.margin, verdict.explanation) == (Count(3, 10), Count(0, 90), 0.02, "3 of 10")


def test_each_analysis_has_its_verdict() -> None:
    events = (
        began(0, 3),
        phase(0, "10 %", 10),
        looked(1, Verdict.PASS),
        done(1, 3),
        began(2, 5),
        phase(2, "50 %", 50),
        looked(3, Verdict.FAIL),
    )

    assert [(verdict.phase, verdict.verdict) for verdict in summary_of(a_run(), events).verdicts] == [
        ("10 %", Verdict.PASS),
        ("50 %", Verdict.FAIL),
    ]


def test_both_witnesses_stand_side_by_side() -> None:
    (witness,) = rolled_back().prometheus

    assert (witness.prometheus, witness.users) == ({"green": Count(1, 4)}, {"green": Count(1, 5)})


def test_times_of_the_way_back() -> None:
    summary = rolled_back()

    assert summary.rollback_seconds == pytest.approx(0.2)
    assert summary.drain_seconds == pytest.approx(0.7)
    assert summary.first_candidate_answer_seconds == pytest.approx(8.5)


def test_a_rollback_after_which_nothing_reached_the_candidate_took_no_time() -> None:
    assert summary_of(a_run(), ROLLED_BACK, ROWS[:-3]).rollback_seconds == 0.0


def test_without_a_verdict_the_rollback_counts_from_the_start_of_the_way_back() -> None:
    """Ctrl-C during an analysis whose last look could not tell yet."""
    events = [event for event in ROLLED_BACK if not (isinstance(event, Looked) and event.judgement.verdict is Verdict.FAIL)]

    assert summary_of(a_run(), events, [*ROWS, row(11.9, "green")]).rollback_seconds == pytest.approx(0.4)


def test_what_an_unanswered_request_says_nothing_about_is_the_first_candidate_answer() -> None:
    """The proxy's own 503 is charged to the candidate's slot, but no replica answered."""
    early = row(8.1, "green", version="", status=503, failure="status", predicted="")

    assert summary_of(a_run(), ROLLED_BACK, [early, *ROWS]).first_candidate_answer_seconds == pytest.approx(8.5)


def test_extra_replicas_are_paid_from_the_start_of_their_deployment_to_the_end_of_their_retirement() -> None:
    assert rolled_back().extra_pod_seconds == pytest.approx(8.0)

    promoted: tuple[AnyEvent, ...] = (
        began(5, DEPLOY),
        done(8, DEPLOY),
        began(20, DEPLOY_ALL),
        done(23, DEPLOY_ALL),
        began(38, RETIRE),
        done(40, RETIRE),
        Ended(at=at(50), outcome=Outcome.PROMOTED, exit_code=0, reason=""),
    )
    assert summary_of(a_run(), promoted).extra_pod_seconds == pytest.approx(1 * 15 + 2 * 20)


def test_the_candidate_is_stable_from_its_promotion_on() -> None:
    recorder = carried_out(a_run())
    phases = summary_of(recorder.run, recorder.events, recorder.rows).phases

    assert [(found.name, found.roles.stable.slot, found.roles.stable.version, found.intended_weight) for found in phases[-4:]] == [
        ("deploy v2 ×2", "blue", "v1", 10),
        ("100 %", "blue", "v1", 100),
        ("promoted", "green", "v2", 0),
        ("drain", "green", "v2", 0),
    ]
    assert phases[-2].roles.candidate.requests == 0
    assert phases[-2].served_weight == 0.0
    assert phases[-2].roles.stable.requests > 100


def test_a_promotion_that_no_phase_follows_begins_one() -> None:
    """An interruption after promotion leaves the hold out, but roles change all the same."""
    events = (
        began(0, ROUTE_ALL),
        phase(0, "100 %", 100),
        settled(1, 100, 1.0),
        began(1, PROMOTE),
        done(1.5, PROMOTE),
        began(1.5, RETIRE),
        done(4, RETIRE),
    )
    phases = summary_of(a_run(), events, [row(1.2, "green"), row(2.0, "green")]).phases

    assert [(found.name, found.seconds, found.roles.stable.slot) for found in phases] == [
        ("100 %", 1.5, "blue"),
        ("promoted", 2.5, "green"),
    ]
    assert [found.roles.stable.requests + 10 * found.roles.candidate.requests for found in phases] == [10, 1]


def test_who_undoes_a_promotion_gives_the_role_back() -> None:
    events = (
        began(0, ROUTE_ALL),
        phase(0, "100 %", 100),
        settled(1, 100, 1.0),
        began(1, PROMOTE),
        done(1.5, PROMOTE),
        began(1.5, HOLD),
        phase(1.5, "promoted", 0),
        began(3, 0, way_back=True),
        phase(3, "way back", 0),
        settled(3.2, 0, 0.2),
        Ended(at=at(4), outcome=Outcome.INTERRUPTED, exit_code=130, reason="a person asked to undo it", left=""),
    )
    summary = summary_of(a_run(), events, [row(1.2, "green"), row(2.0, "green"), row(3.1, "green"), row(3.5)])

    assert [(found.name, found.roles.stable.version, found.roles.stable.requests) for found in summary.phases] == [
        ("100 %", "v1", 0),
        ("promoted", "v2", 1),
        ("way back", "v1", 1),
    ]
    assert summary.rollback_seconds == pytest.approx(0.1)


def test_no_requests_are_not_taken_for_good_ones() -> None:
    recorder = carried_out(a_run(rate=0.0))
    summary = summary_of(recorder.run, recorder.events)

    assert summary.totals.requests == 0
    assert (summary.totals.intended_rate, summary.totals.achieved_rate) == (None, None)
    assert (summary.first_candidate_answer_seconds, summary.generator.lateness_p99_ms) == (None, None)
    assert {found.served_weight for found in summary.phases} == {None}
    assert summary.rollback_seconds is None


@pytest.mark.parametrize("version", ["v2", "v2-broken"])
def test_a_run_that_was_killed_anywhere_has_a_summary_without_an_outcome(version: str) -> None:
    recorder = carried_out(a_run(version, rate=5.0), failing=0.5 if version != "v2" else 0.0)
    log = requests(recorder.rows)
    for length in range(len(recorder.events)):
        until = recorder.events[length - 1].at.timestamp() if length else 0.0
        seen = [request for request in log if request.intended <= until]
        summary = summarise(recorder.run, recorder.events[:length], seen, ENVIRONMENT)

        assert (summary.outcome, summary.exit_code, summary.ended) == (None, None, None)
        assert summary.totals.requests == len(seen)
        assert all(found.seconds >= 0 for found in summary.phases)


def test_a_run_that_was_taken_up_again_ended_when_it_ended_last() -> None:
    again = Ended(at=at(99), outcome=Outcome.INTERRUPTED, exit_code=130, reason="aborted")

    assert summary_of(a_run(), [*ROLLED_BACK, again]).reason == "aborted"


def test_the_generator_confesses_when_it_was_late() -> None:
    late = [row(second, sent=at(second + 0.025).isoformat(), latency="0.030") for second in range(5)]

    assert summary_of(a_run(), (), [row(1.0)]).generator.warning == ""
    generator = summary_of(a_run(), (), late).generator
    assert generator.lateness_p99_ms == pytest.approx(25.0, abs=0.01)
    assert "one request in a hundred left more than 25 ms after its time" in generator.warning


def test_requests_that_were_never_sent_are_confessed() -> None:
    assert summary_of(a_run(), (), ROWS).generator.warning == "1 request was never sent, because too many were in flight."

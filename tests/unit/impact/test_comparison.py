"""The measured table says what the runs say: medians and ranges, what is missing or went otherwise, what contradicts the published one."""

from collections.abc import Mapping

import msgspec
import pytest

from impact.comparison import STRATEGIES, Cell, Comparison, Setting, Spread, compare, expected
from impact.comparison_cells import cell, ending
from impact.comparison_claims import CLAIMS, ZERO_DOWNTIME, contradictions, hints
from impact.comparison_costs import Costs, costs
from impact.comparison_markdown import NO_CONTRADICTION, markdown
from impact.comparison_page import page
from strategies.events import Metered, Outcome
from strategies.in_place import InPlaceOptions, recreate
from strategies.plan import Release
from strategies.run import Run
from strategies.traffic import Slot
from tests.unit.impact.recorded_run import ENVIRONMENT, Recorder, a_run, at, carried_out, row
from tests.unit.impact.test_report import Page
from tests.unit.impact.test_summary import began, done, requests, summary_of

USUAL = Costs(
    run="run",
    outcome=Outcome.PROMOTED,
    reason="",
    downtime_seconds=0.0,
    failed=0,
    p95_ratio=1.5,
    p99_ratio=2.0,
    users_harmed=3,
    wrong_of_candidate=2,
    extra_pod_seconds=10.0,
    extra_cpu_seconds=None,
    peak_replicas=3,
    promote_seconds=25.0,
    harm_seconds=None,
    changes=5,
)


def table(measured: Mapping[Cell, Costs], repeats: int = 1, strategies: tuple[str, ...] = STRATEGIES) -> Comparison:
    candidates = sorted({found.candidate for found in measured}) or ["v2"]
    order = tuple(Cell(name, candidate, repeat) for repeat in range(1, repeats + 1) for candidate in candidates for name in strategies)
    setting = Setting(
        command=("labctl", "compare"),
        platform="local",
        rate=150.0,
        users=300,
        replicas=2,
        baseline_seconds=10.0,
        hold_seconds=20.0,
        keep_seconds=5.0,
        repeats=repeats,
        seed=1,
        order=order,
    )
    return compare(setting, measured, ENVIRONMENT)


def ended(strategy: str, candidate: str, **figures: object) -> Costs:
    return msgspec.structs.replace(USUAL, **{"outcome": expected(strategy, candidate), **figures})


def repeated(strategy: str, candidate: str, measure: str, values: tuple[float, ...]) -> dict[Cell, Costs]:
    return {
        Cell(strategy, candidate, number): ended(strategy, candidate, **{measure: value}) for number, value in enumerate(values, start=1)
    }


def test_a_measure_is_the_median_of_its_repeats_with_their_range() -> None:
    found = table(repeated("canary", "v2", "extra_pod_seconds", (9.0, 30.0, 12.0)), 3, ("canary",)).rows[0]

    assert found.spreads["extra_pod_seconds"] == Spread(12.0, 9.0, 30.0)
    assert cell(found, "extra_pod_seconds") == "12 (9–30)"
    assert cell(found, "p95_ratio") == "1.50×"
    assert found.as_defined is True


def test_what_no_run_knows_is_left_out_and_what_some_know_is_theirs() -> None:
    measured = {Cell("canary", "v2", 1): USUAL, Cell("canary", "v2", 2): msgspec.structs.replace(USUAL, extra_cpu_seconds=4.0)}

    assert "extra_cpu_seconds" not in table({Cell("canary", "v2", 1): USUAL}).rows[0].spreads
    assert table(measured, 2, ("canary",)).rows[0].spreads["extra_cpu_seconds"] == Spread(4.0, 4.0, 4.0)


def test_missing_runs_are_told_and_never_zero() -> None:
    comparison = table({Cell("canary", "v2", 1): USUAL}, 2, ("canary", "recreate"))
    canary, never = (comparison.row(name, "v2") for name in ("canary", "recreate"))
    assert canary is not None
    assert never is not None

    assert (canary.missing, ending(canary)) == (1, "promoted (1 not run)")
    assert (never.missing, never.as_defined, ending(never)) == (2, None, "not run")
    assert cell(never, "failed") == "–"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_did_not_end_as_defined_says_so(strategy: str) -> None:
    wrong = msgspec.structs.replace(USUAL, outcome=Outcome.INCONCLUSIVE)

    found = table({Cell(strategy, "v2", 1): wrong}, 1, (strategy,)).rows[0]

    assert found.as_defined is False
    assert ending(found).startswith("inconclusive (not ")
    assert expected(strategy, "v2-wrong") is Outcome.ROLLED_BACK
    assert expected(strategy, "v7") is None


def test_one_lost_request_contradicts_a_tick_and_a_rollout_that_failed_does_not() -> None:
    lost = ended("rolling", "v2", failed=3, downtime_seconds=0.2)
    bad = msgspec.structs.replace(lost, outcome=Outcome.INCONCLUSIVE)

    assert any("ticks rolling, but 3 requests failed" in said for said in contradictions(table({Cell("rolling", "v2", 1): lost})))
    assert contradictions(table({Cell("rolling", "v2", 1): bad})) == ()
    assert contradictions(table({Cell("rolling", "v2-wrong", 1): ended("rolling", "v2-wrong", failed=3)})) == ()


def test_a_cross_is_contradicted_only_if_no_repeat_lost_anything() -> None:
    never = repeated("recreate", "v2", "failed", (0, 0))
    once = repeated("recreate", "v2", "failed", (0, 9))

    assert [said for said in contradictions(table(never, 2)) if "denies it to recreate" in said]
    assert contradictions(table(once, 2)) == ()


@pytest.mark.parametrize(
    ("blue_green", "canary", "contradicted"),
    [
        ((5.0, 6.0, 7.0), (8.0, 9.0, 10.0), True),
        ((5.0, 6.0, 8.5), (8.0, 9.0, 10.0), False),
        ((8.0, 9.0, 10.0), (5.0, 6.0, 7.0), False),
        ((5.0, 6.0), (8.0, 9.0), False),
    ],
    ids=["apart", "overlapping", "as published", "too few repeats"],
)
def test_an_order_is_contradicted_only_by_ranges_that_lie_apart(
    blue_green: tuple[float, ...], canary: tuple[float, ...], contradicted: bool
) -> None:
    """Blue-green is published to cost more than canary."""
    measured = repeated("blue-green", "v2", "extra_pod_seconds", blue_green) | repeated("canary", "v2", "extra_pod_seconds", canary)

    said = contradictions(table(measured, len(canary), ("blue-green", "canary")))

    assert bool(said) is contradicted
    hinted = hints(table(measured, len(canary), ("blue-green", "canary")))
    assert bool(hinted) is (len(canary) < 3), "too few repeats are a hint, more of them contradict or do not"
    assert not (hinted and said)
    assert all("cloud cost: the table gives blue-green more (■■■) than canary (■□□)" in sentence for sentence in said)


def test_the_published_table_has_every_strategy_in_every_column() -> None:
    assert all(set(claim.squares) == set(STRATEGIES) for claim in CLAIMS)
    assert [ZERO_DOWNTIME.mark(name) for name in STRATEGIES] == ["✗", "✓", "✓", "✓", "✓", "✓"]


def test_the_tables_agree_and_stand_beside_what_was_published() -> None:
    comparison = table({Cell("rolling", "v2", 1): ended("rolling", "v2"), Cell("rolling", "v2-wrong", 1): ended("rolling", "v2-wrong")})
    text, seen = markdown(comparison), Page(page(comparison))

    assert "| published: zero downtime | ✗ | ✓ | ✓ | ✓ | ✓ | ✓ |" in text
    assert "| outcome | not run | promoted | not run | not run | not run | not run |" in text
    assert "`labctl compare`" in text
    assert "Holds: 20 s" in text
    assert NO_CONTRADICTION in text
    for words in ("published: zero downtime", "extra replica-seconds", "not run", NO_CONTRADICTION):
        assert words in seen.text
    assert not [link for name in ("src", "href") for link in seen.values(name) if not link.startswith("#")]


def test_a_comparison_can_be_read_again() -> None:
    comparison = table({Cell("rolling", "v2", 1): USUAL}, 2)

    assert msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison) == comparison


def cost_of(recorder: Recorder) -> Costs:
    summary = summary_of(recorder.run, recorder.events, recorder.rows)
    return costs(recorder.run, recorder.events, requests(recorder.rows), summary)


def test_the_costs_of_a_canary_are_those_of_its_record() -> None:
    good, bad = cost_of(carried_out(a_run())), cost_of(carried_out(a_run("v2-broken"), failing=0.3))

    assert good.promote_seconds is not None
    assert good.promote_seconds > 30.0
    assert (good.harm_seconds, good.failed, good.peak_replicas) == (None, 0, 4)
    assert 0.8 < (good.p95_ratio or 0.0) < 1.2
    # two changes of routes, two replicas started, two ended
    assert good.changes == 6
    assert bad.promote_seconds is None
    assert bad.harm_seconds is not None
    assert bad.harm_seconds < 1.0
    assert bad.failed >= bad.users_harmed - bad.wrong_of_candidate > 0


def test_latency_during_is_told_as_a_multiple_of_before() -> None:
    assert (cost_of(carried_out(a_run(), slowness=20.0)).p95_ratio or 0.0) > 10.0


def in_place() -> Run:
    plan = recreate(InPlaceOptions(to_version="v2", before=Release(version="v1", replicas=2), stable=Slot.BLUE))
    return msgspec.structs.replace(a_run(), plan=plan, candidate=Slot.BLUE)


def test_the_gap_of_a_way_back_in_place_counts_as_bad_and_stables_own_answers_do_not() -> None:
    run = in_place()
    events = (
        began(0, 0),
        done(5, 0),
        began(5, 1),
        done(8, 1),
        began(8, 2),
        began(10, 0, way_back=True),
        Metered(at=at(14), cpu_seconds=9.0, steady_cpu_seconds=7.5),
        done(13, 0, way_back=True),
    )
    rows = [
        row(1),
        row(9, version="v2", predicted="malignant"),
        row(12, version="", status=503, failure="status", predicted="", user=2),
        row(13.5),
    ]

    found = costs(run, events, requests(rows), summary_of(run, events, rows))

    assert found.harm_seconds == pytest.approx(2.0)
    assert (found.wrong_of_candidate, found.users_harmed, found.failed) == (1, 2, 1)
    assert found.changes == 8
    assert found.extra_cpu_seconds == 1.5

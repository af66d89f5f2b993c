"""What a scrape says of a running rollout is what its events and its users' log say, and a run that is over says nothing."""

import math
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

from impact.exposition import Exposition
from impact.rundir import RunFolder
from strategies.events import Looked, PhaseStarted, StepStarted
from strategies.traffic import Slot
from tests.unit.impact.recorded_run import Recorder, a_run, at, carried_out, record, row, write_rows

Samples = dict[tuple[str, frozenset[str]], float]


def scraped(registry: CollectorRegistry) -> Samples:
    """By name and the values of the labels but the run's."""
    return {
        (
            sample.name.removeprefix("labctl_rollout_"),
            frozenset(value for name, value in sample.labels.items() if name != "run"),
        ): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def value(samples: Samples, name: str, *labels: str) -> float:
    return samples[name, frozenset(labels)]


def exposed(runs: Path, recorder: Recorder) -> tuple[RunFolder, Samples]:
    folder = record(runs, recorder)
    return folder, scraped(Exposition(folder.run, folder.requests, folder.events()).registry())


def test_the_users_counts_are_those_of_their_log(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    write_rows(
        folder.new_log_path(),
        [
            row(1),
            row(2, status=500, failure="status", predicted=""),
            row(3, slot="green", predicted="malignant"),
            row(4, slot="green", latency="9.0"),
            row(5, slot="", version="", status=0, failure="connection", predicted=""),
            row(6, sent="", latency="", slot="", version="", status=0, failure="unsent", predicted=""),
        ],
    )
    run = msgspec.structs.replace(folder.run, judge=msgspec.structs.replace(folder.run.judge, objective=1.0))
    samples = scraped(Exposition(run, folder.requests).registry())

    assert value(samples, "users_requests_total", "blue", "v1") == 2
    assert value(samples, "users_requests_total", "green", "v2") == 2
    assert value(samples, "users_requests_total", "nobody") == 1
    assert value(samples, "users_bad_total", "blue", "v1", "failed") == 1
    assert value(samples, "users_bad_total", "green", "v2", "wrong") == 1
    assert value(samples, "users_bad_total", "green", "v2", "slow") == 1
    assert value(samples, "users_bad_total", "nobody", "failed") == 1


def test_a_log_that_grows_is_counted_on_and_a_slot_without_requests_counts_zero(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    registry = Exposition(folder.run, folder.requests).registry()
    log = folder.new_log_path()

    assert value(scraped(registry), "users_requests_total", "green", "v2") == 0
    write_rows(log, [row(1), row(2)])
    assert value(scraped(registry), "users_requests_total", "blue", "v1") == 2
    write_rows(log, [row(3)])
    assert value(scraped(registry), "users_requests_total", "blue", "v1") == 3


def test_a_log_that_is_no_log_leaves_what_was_counted(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    registry = Exposition(folder.run, folder.requests).registry()
    log = folder.new_log_path()
    write_rows(log, [row(1)])
    scraped(registry)
    with log.open("a") as file:
        file.write("nonsense\n")

    assert value(scraped(registry), "users_requests_total", "blue", "v1") == 1


def test_intentions_follow_the_events(tmp_path: Path) -> None:
    run = a_run()
    recorder = carried_out(run)
    exposition = Exposition(run, tmp_path)
    registry = exposition.registry()
    seen: list[tuple[str, float, float]] = []
    for event in recorder.events:
        exposition.show(event)
        if isinstance(event, PhaseStarted):
            samples = scraped(registry)
            assert [labels for name, labels in samples if name == "phase"] == [frozenset([event.name])]
            seen.append((event.name, value(samples, "intended_weight_percent", "blue"), value(samples, "intended_weight_percent", "green")))

    assert seen[0] == ("baseline", 100, 0)
    assert ("10 %", 90, 10) in seen
    assert ("100 %", 0, 100) in seen
    # promotion moves the role and not the traffic
    assert seen[-1][1:] == (0, 100)


def test_a_step_has_a_limit_of_what_it_lasts_and_the_timeout(tmp_path: Path) -> None:
    recorder = carried_out(a_run())
    until = next(number for number, event in enumerate(recorder.events) if isinstance(event, Looked))
    recorder.events = recorder.events[:until]
    _, samples = exposed(tmp_path, recorder)
    title = "analyse for 30 s: only PASS goes on"

    assert value(samples, "step", title, "false") == 4
    assert value(samples, "step_limit_seconds", title, "false") == 30 + recorder.run.timeout
    assert value(samples, "steps") == len(recorder.run.plan.steps)
    assert not [name for name, _ in samples if name.startswith(("verdict", "evidence", "judged"))]


def test_a_look_tells_its_evidence_and_limit_and_since_when_it_says_so(tmp_path: Path) -> None:
    recorder = carried_out(a_run("v2-broken"), failing=0.3)
    looks = [event for event in recorder.events if isinstance(event, Looked)]
    recorder.events = recorder.events[: recorder.events.index(looks[-1]) + 1]
    _, samples = exposed(tmp_path, recorder)
    failed = looks[-1].judgement.metrics[0]

    assert value(samples, "verdict", "10 %", "FAIL") == 1
    assert value(samples, "verdict_timestamp_seconds", "10 %", "FAIL") == looks[-1].at.timestamp()
    assert value(samples, "evidence", "failed") == failed.evidence > value(samples, "evidence_limit", "failed") == failed.limit
    assert value(samples, "judged_requests", "failed", "candidate") == failed.candidate.n
    assert value(samples, "judged_bad", "failed", "candidate") == failed.candidate.bad
    assert value(samples, "needed_requests", "failed") == failed.needed


def test_the_way_back_is_told_apart_and_what_was_judged_is_over(tmp_path: Path) -> None:
    recorder = carried_out(a_run("v2-broken"), failing=0.3)
    _, samples = exposed(tmp_path, recorder)
    (step,) = [labels for name, labels in samples if name == "step"]

    assert "true" in step
    assert value(samples, "steps") == len(recorder.run.plan.way_back)
    assert value(samples, "intended_weight_percent", "green") == 0
    assert not [name for name, _ in samples if name.startswith("verdict")]


def test_whoever_undoes_a_promotion_gives_the_role_back(tmp_path: Path) -> None:
    recorder = carried_out(a_run())
    exposition = Exposition(recorder.run, tmp_path)
    for event in recorder.events:
        exposition.show(event)
    exposition.show(StepStarted(at=at(99), index=0, title="", way_back=True))
    exposition.show(PhaseStarted(at=at(99), name="way back", weight=0))

    samples = scraped(exposition.registry())

    assert (value(samples, "intended_weight_percent", "blue"), value(samples, "intended_weight_percent", "green")) == (100, 0)


def test_one_slot_that_is_stable_and_candidate_has_one_intended_share(tmp_path: Path) -> None:
    """As where a version is exchanged in its place."""
    run = msgspec.structs.replace(a_run(), candidate=Slot.BLUE)
    exposition = Exposition(run, tmp_path)
    exposition.show(PhaseStarted(at=at(1), name="baseline", weight=0))
    samples = scraped(exposition.registry())

    assert [value for (name, _), value in samples.items() if name == "intended_weight_percent"] == [100]
    assert all(not math.isnan(number) for number in samples.values())

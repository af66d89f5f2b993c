"""The record of a run: what is written is there after a crash, and what was torn does not spoil what was whole."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from impact.rundir import RunFolder, find_run, list_runs, run_id
from impact.summary import summarise
from strategies.errors import StoreRefused, UsageError
from strategies.events import AnyEvent, Metered, Noted, PhaseStarted
from tests.unit.impact.recorded_run import ENVIRONMENT, START, a_run, at, carried_out


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process may grow beyond `room` bytes, as on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def note(text: str) -> Noted:
    return Noted(at=at(1.0), text=text)


def test_a_run_is_named_by_its_utc_time_strategy_and_versions() -> None:
    east = START.astimezone(timezone(timedelta(hours=9)))

    assert run_id(east, "canary", "v1", "v2") == "20261122-184512-canary-v1-v2"
    assert run_id(START, "canary", "v1", "../v 2") == "20261122-184512-canary-v1-.._v_2"
    assert run_id(START, "load", "v1", "") == "20261122-184512-load-v1"


def test_two_runs_of_the_same_second_get_folders_of_their_own(tmp_path: Path) -> None:
    first, second = (RunFolder.create(tmp_path / "runs", a_run()) for _ in range(2))

    assert first.run.id == "20261122-184512-canary-v1-v2"
    assert second.run.id == second.path.name == "20261122-184512-canary-v1-v2-02"


def test_what_was_asked_for_is_read_back(tmp_path: Path) -> None:
    created = RunFolder.create(tmp_path, a_run())

    assert RunFolder.open(created.path).run == a_run()
    assert created.events() == ()
    assert created.read_summary() is None


def test_events_of_every_kind_are_read_back_in_order(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    used = Metered(at=note("").at, cpu_seconds=12.5, steady_cpu_seconds=10.25)
    events = (*carried_out(a_run()).events, *carried_out(a_run("v2-broken"), failing=0.3).events, used, note("done"))
    for event in events:
        folder.write(event)

    assert RunFolder.open(folder.path).events() == events
    assert {type(event) for event in events} == set(AnyEvent.__args__)


def test_wherever_the_last_line_was_torn_the_lines_before_it_count_and_the_next_writer_goes_on(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    log = folder.path / "events.jsonl"
    folder.write(note("whole"))
    whole = log.read_bytes()
    folder.write(note("torn"))
    torn = log.read_bytes()
    for length in range(len(whole), len(torn)):
        log.write_bytes(torn[:length])
        assert folder.events() == (note("whole"),)

        folder.write(note("after"))
        assert folder.events() == (note("whole"), note("after"))


def test_a_full_disk_refuses_the_event_and_keeps_those_before(tmp_path: Path) -> None:
    """Part of the refused line may be on the disk; once there is room again, it is not in the way."""
    folder = RunFolder.create(tmp_path, a_run())
    folder.write(note("before"))
    size = (folder.path / "events.jsonl").stat().st_size

    with full_disk(size + 10), pytest.raises(StoreRefused, match=r"events\.jsonl cannot be read or written: File too large"):
        folder.write(note("too much"))
    assert folder.events() == (note("before"),)

    folder.write(note("after"))
    assert folder.events() == (note("before"), note("after"))


def test_a_damaged_line_between_whole_ones_is_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    folder.write(note("one"))
    with (folder.path / "events.jsonl").open("a") as file:
        file.write('{"type":"Exploded"}\n')
    folder.write(note("three"))

    with pytest.raises(StoreRefused, match=r"line 2 of .*events\.jsonl is not an event"):
        folder.events()


def test_each_start_of_users_has_a_log_of_its_own(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    names = []
    for _ in range(3):
        path = folder.new_log_path()
        path.touch()
        names.append(path.relative_to(folder.path).as_posix())

    assert names == ["requests/001.csv", "requests/002.csv", "requests/003.csv"]


def test_a_summary_is_read_back(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    summary = summarise(folder.run, [PhaseStarted(at=at(0.1), name="baseline", weight=0)], [], ENVIRONMENT)

    path = folder.write_summary(summary)

    assert folder.read_summary() == summary
    assert msgspec.json.decode(path.read_bytes())["from"] == "v1"


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    folder.write_report("old")

    with full_disk(100), pytest.raises(StoreRefused, match=r"report\.html"):
        folder.write_report("new" * 1000)

    assert folder.report.read_text() == "old"
    assert sorted(path.name for path in folder.path.iterdir()) == ["events.jsonl", "plan.json", "report.html", "requests"]


def test_a_place_that_is_no_folder_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()

    with pytest.raises(StoreRefused, match=r"runs cannot be read or written: "):
        RunFolder.create(tmp_path / "runs", a_run())


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, a_run())
    (folder.path / "plan.json").write_text("{}")

    with pytest.raises(StoreRefused, match=r"plan\.json is damaged"):
        RunFolder.open(folder.path)


def test_runs_are_listed_newest_first_and_only_those_that_began(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []

    names = ["20261122-090000-canary-v1-v2", "20261122-184512-canary-v1-v2", "20261121-235959-canary-v1-v2"]
    for name in names:
        RunFolder.create(tmp_path, msgspec.structs.replace(a_run(), id=name))
    (tmp_path / "20270101-000000-canary-v1-v2").mkdir()

    assert [folder.run.id for folder in list_runs(tmp_path)] == sorted(names, reverse=True)
    assert find_run(tmp_path).run.id == max(names)


def test_a_run_is_found_by_its_id_or_by_the_only_id_that_begins_so(tmp_path: Path) -> None:
    first, second = (RunFolder.create(tmp_path, a_run()) for _ in range(2))

    assert find_run(tmp_path, first.run.id).run == first.run
    assert find_run(tmp_path, second.run.id[:-1]).run == second.run
    with pytest.raises(UsageError, match="2 runs begin with '20261122'"):
        find_run(tmp_path, "20261122")
    with pytest.raises(UsageError, match=r"no run in .* begins with '1999'"):
        find_run(tmp_path, "1999")
    with pytest.raises(UsageError, match="there is no run"):
        find_run(tmp_path / "none")

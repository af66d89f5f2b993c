"""A long run has a page as light as a short one's, and nothing that was decided is missing in its drawings."""

from pathlib import Path

import msgspec
import pytest

from impact.report import write_report
from impact.thinning import thinned
from strategies.canary import CanaryOptions, canary
from strategies.events import Looked
from strategies.judgement import Verdict
from tests.unit.impact.recorded_run import a_run, carried_out, record
from tests.unit.impact.test_summary import looked

LARGEST = 2_000_000
"""Bytes that a report may have, as it is sent around."""


def test_ten_thousand_looks_and_more_than_an_hour_of_requests_fit_a_light_page(tmp_path: Path) -> None:
    run = a_run(rate=4.0)
    recorder = carried_out(msgspec.structs.replace(run, plan=canary(CanaryOptions(to_version="v2", stable=run.stable, hold=5000.0))))
    events, recorder.events = recorder.events, []
    assert sum(isinstance(event, Looked) for event in events) >= 10_000
    assert len(recorder.rows) > 4 * 3600

    folder = record(tmp_path, recorder)
    # all at once: each by itself would be forced onto the disk
    (folder.path / "events.jsonl").write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))

    assert write_report(folder).stat().st_size < LARGEST / 3


@pytest.mark.parametrize("number", [0, 1, 2, 9, 10, 11, 5000])
def test_the_first_the_last_and_each_change_of_a_verdict_stay(number: int) -> None:
    verdicts = [Verdict.PASS if index in {3, 4001} else Verdict.INCONCLUSIVE for index in range(number)]
    looks = [looked(index, verdict) for index, verdict in enumerate(verdicts)]

    kept = thinned(looks, 10)

    changes = [looks[index] for index in (3, 4, 4001, 4002) if index < number]
    assert [look for look in (*looks[:1], *looks[-1:], *changes) if look not in kept] == []
    assert kept == sorted(kept, key=lambda look: look.at)
    assert len(kept) <= min(number, 10 + len(changes))


def test_verdicts_that_change_all_the_time_are_thinned_too() -> None:
    looks = [looked(index, Verdict.PASS if index % 2 else Verdict.INCONCLUSIVE) for index in range(1000)]

    assert len(thinned(looks, 10)) <= 20

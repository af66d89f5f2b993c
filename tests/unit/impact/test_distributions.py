"""What each user met at worst, and by which versions."""

from pathlib import Path

import msgspec

from impact.distributions import worst_met
from impact.parties import Parties
from impact.userlog import UserLog
from strategies.traffic import Slot
from tests.unit.impact.recorded_run import a_run, carried_out, row, write_rows
from tests.unit.impact.test_summary import summary_of


def test_each_user_counts_once_by_the_worst_that_they_met(tmp_path: Path) -> None:
    recorder = carried_out(a_run())
    summary = summary_of(recorder.run, recorder.events, recorder.rows)
    rows = [
        row(1, user=1),
        row(2, user=1, slot="green"),
        row(3, user=2, predicted="malignant"),
        row(4, user=2, status=500, failure="status", predicted=""),
        row(5, user=3, slot="green", latency="9.0"),
        row(6, user=4, slot="", version="", status=0, failure="connection", predicted=""),
    ]
    write_rows(tmp_path / "001.csv", rows)
    log = UserLog(tmp_path)
    log.poll()

    assert worst_met(summary, log.requests) == {
        "both versions": {"only good ones": 1},
        "only v1": {"failed request": 1},
        "only v2": {"slow answer": 1},
        "neither": {"failed request": 1},
    }


def test_in_place_the_version_that_answered_tells_the_two_apart(tmp_path: Path) -> None:
    recorder = carried_out(a_run())
    summary = summary_of(recorder.run, recorder.events, recorder.rows)
    phases = tuple(
        msgspec.structs.replace(
            phase, roles=msgspec.structs.replace(phase.roles, candidate=msgspec.structs.replace(phase.roles.candidate, slot=Slot.BLUE))
        )
        for phase in summary.phases[:1]
    )
    parties = Parties(msgspec.structs.replace(summary, phases=phases))
    write_rows(tmp_path / "001.csv", [row(1), row(2, version="v2"), row(3, version="", status=503, failure="status", predicted="")])
    log = UserLog(tmp_path)

    assert parties.in_place
    assert [parties.of(request) for request in log.poll()] == [parties.old, parties.new, None]
    assert parties.old.slot is not parties.new.slot
    # neither is called by a slot whose colour the other one has
    assert (parties.old.label, parties.new.label) == ("v1", "v2")

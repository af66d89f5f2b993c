"""One rollout at a time on a cluster, and the record that another machine goes on with."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from cli.clock import SystemClock
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.held import STOP_AFTER, Held
from platforms.kubernetes.lease import Lease
from platforms.kubernetes.record import Record
from strategies.errors import LockHeld, StoreRefused, TakenOver
from strategies.events import Ended, Looked, Noted, Outcome, StepStarted
from strategies.judgement import Judgement, Verdict
from strategies.plan import Hold, Plan
from strategies.run import JudgeOptions, LoadOptions, Run
from strategies.traffic import Slot
from tests.unit.kubernetes.api_server import ApiServer

LEASE = "/apis/coordination.k8s.io/v1/namespaces/lab/leases/labctl"
RECORD = "/api/v1/namespaces/lab/configmaps/labctl-run"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def elsewhere(server: ApiServer, *, seconds_ago: float) -> None:
    """Let somebody on another machine hold the lease, renewed that long ago."""
    lease = server.objects[LEASE]
    lease["metadata"]["annotations"] = {"lab/doing": "labctl rollout canary"}
    renewed = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    lease["spec"] |= {"holderIdentity": "far-away/42/1.00", "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def test_a_second_holder_is_refused_by_the_name_of_the_first(api: tuple[ApiServer, Cluster]) -> None:
    lease = Lease(api[1], "lab", clock=SystemClock())

    with (
        lease.held("labctl rollout canary"),
        pytest.raises(LockHeld, match=r"labctl rollout canary \(pid \d+ on"),
        lease.held("labctl load"),
    ):
        pass

    assert lease.holder() is None


def test_each_holding_has_a_greater_number(api: tuple[ApiServer, Cluster]) -> None:
    lease = Lease(api[1], "lab", clock=SystemClock())

    with lease.held("one") as one:
        pass
    with lease.held("two") as two:
        assert (one.generation, two.generation) == (1, 2)


def test_one_on_another_machine_lives_until_its_lease_runs_out(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    lease = Lease(cluster, "lab", clock=SystemClock())
    with lease.held("first"):
        pass

    elsewhere(server, seconds_ago=5)
    holder = lease.holder()
    assert holder is not None
    assert not holder.here
    assert str(holder) == "labctl rollout canary (pid 42 on far-away)"
    with pytest.raises(LockHeld, match="far-away"), lease.held("second"):
        pass

    elsewhere(server, seconds_ago=61)
    assert lease.holder() is None
    with lease.held("third") as held:
        held.check()


def test_a_process_that_died_on_this_machine_holds_nothing(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    lease = Lease(cluster, "lab", clock=SystemClock())
    with lease.held("first"):
        pass
    elsewhere(server, seconds_ago=0)
    # the process has this pid again, but began at another time
    server.objects[LEASE]["spec"]["holderIdentity"] = f"{socket.gethostname()}/1/1.00"

    assert lease.holder() is None


def test_a_live_one_can_be_taken_over_and_stays_out_then(api: tuple[ApiServer, Cluster]) -> None:
    lease = Lease(api[1], "lab", clock=SystemClock())

    with lease.held("old") as old, lease.held("new", take_over=True) as new:
        assert new.generation == old.generation + 1


def test_who_was_taken_over_learns_it_before_the_next_write(api: tuple[ApiServer, Cluster]) -> None:
    """Not only at the next renewal: one that was stopped meanwhile goes on where it was."""
    lease = Lease(api[1], "lab", clock=SystemClock())

    with lease.held("old") as old:
        old.check()
        with lease.held("new", take_over=True) as new:
            with pytest.raises(TakenOver, match=r"^new .* has taken this rollout over"):
                old.check()
            new.check()
        with pytest.raises(TakenOver):
            old.notice()


def test_while_nobody_answers_the_last_renewal_counts(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    lease = Lease(cluster, "lab", clock=SystemClock())

    with lease.held("one") as held:
        server.failures = 1
        held.check()
        assert server.failures == 0


def test_who_could_not_renew_for_too_long_stops_writing() -> None:
    class Frozen(SystemClock):
        time = 0.0

        def monotonic(self) -> float:
            return self.time

    clock = Frozen()
    held = Held(1, clock)
    clock.time = STOP_AFTER
    held.check()

    clock.time = STOP_AFTER + 1
    with pytest.raises(LockHeld, match="could not be renewed"):
        held.check()

    held.renewed(clock.time)
    held.check()
    held.taken("somebody")
    with pytest.raises(LockHeld, match="somebody has taken this rollout over"):
        held.check()


RUN = Run(
    id="20260102-canary",
    started=NOW,
    command=("labctl", "rollout", "canary"),
    platform="kind",
    from_version="v1",
    to_version="v2",
    stable=Slot.BLUE,
    candidate=Slot.GREEN,
    plan=Plan(strategy="canary", replicas=2, steps=(Hold(1.0, "hold"),)),
    load=LoadOptions(),
    judge=JudgeOptions(),
    timeout=60.0,
)


def test_the_record_tells_another_machine_what_was_done(api: tuple[ApiServer, Cluster]) -> None:
    record = Record(api[1], "lab")
    begun, noted = StepStarted(at=NOW, index=0, title="hold"), Noted(at=NOW, text="something")
    ended = Ended(at=NOW, outcome=Outcome.COMPLETED, exit_code=0, reason="done")
    looked = Looked(at=NOW, judgement=Judgement(verdict=Verdict.PASS, reason="fine"))

    assert record.read() is None
    record.write(RUN, (begun, looked, noted, ended), "machine:/runs/x")
    found = record.read()

    assert found is not None
    assert (found.run, found.events, found.folder) == (RUN, (begun, noted, ended), "machine:/runs/x")
    record.end()
    assert record.read() is None
    assert record.last() == found
    record.write(RUN, (begun,), "machine:/runs/x")
    assert record.read() is not None


def test_an_older_run_neither_writes_over_its_successors_record_nor_removes_it(api: tuple[ApiServer, Cluster]) -> None:
    record = Record(api[1], "lab")
    begun = StepStarted(at=NOW, index=0, title="hold")
    record.write(RUN, (), "here:/runs/x", generation=7)
    record.write(RUN, (begun,), "elsewhere:/runs/x", generation=8)

    with pytest.raises(TakenOver, match="number 8"):
        record.write(RUN, (), "here:/runs/x", generation=7)
    with pytest.raises(TakenOver, match="number 8"):
        record.end(generation=7)

    found = record.read()
    assert found is not None
    assert (found.events, found.folder) == ((begun,), "elsewhere:/runs/x")
    record.end(generation=8)
    assert record.read() is None


def test_a_damaged_record_says_how_to_forget_it(api: tuple[ApiServer, Cluster]) -> None:
    server, cluster = api
    server.objects[RECORD] = {"metadata": {"name": "labctl-run"}, "binaryData": {"plan": "eA==", "events": "eA=="}}

    with pytest.raises(StoreRefused, match="kubectl delete configmap labctl-run"):
        Record(cluster, "lab").read()

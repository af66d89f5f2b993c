"""One rollout at a time, though labctl runs on several machines: one of them here, the other with a host name of its own."""

import json
import signal
from pathlib import Path

import pytest

from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import QUICK, ROUTES, Json, Live, aside, other_than, require_one_version, rollout, stable, status
from tests.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

LONG = (*QUICK, "--hold", "120s")
FEW_USERS = ("--rate", "20")
"""For one that is stopped: its users go on, and beside those of its successor they must not be more than the machine can serve."""
SUCCESSOR = ("rollout", "canary", *QUICK, "--rate", "60", "--hold", "15s", "--detect", "40", "--objective-latency", "5s")
"""What it judges matters little here: two rollouts' users on a machine that others use must not be taken for a slow candidate."""


@pytest.fixture
def versions(up: ClusterLab) -> tuple[str, str]:
    """The version that serves and the other good one."""
    serving = stable(up)["version"]
    return serving, other_than(serving)


@pytest.fixture
def elsewhere(up: ClusterLab, tmp_path: Path) -> ClusterLab:
    """The same lab, from another machine that can begin a rollout as well."""
    other = up.elsewhere(tmp_path, trained=True)
    Path(other.environment["LAB_RUNS"]).mkdir(parents=True)
    return other


def written(lab: ClusterLab) -> Json:
    """Everything that a labctl writes into the cluster, with the versions that the API server gives it."""
    releases = lab.tool("helm", "list", "--kube-context", lab.context, "--namespace", "lab", "--output", "json")
    record = lab.kubectl("get", "configmap/labctl-run", "--ignore-not-found", "--output", "json")
    return {
        "routes": json.loads(lab.kubectl("get", ROUTES, "--output", "json"))["metadata"]["resourceVersion"],
        "record": json.loads(record)["metadata"]["resourceVersion"] if record else None,
        "lease": json.loads(lab.kubectl("get", "lease/labctl", "--output", "json"))["spec"]["leaseTransitions"],
        "releases": sorted((release["name"], release["revision"]) for release in json.loads(releases)),
    }


def require_nothing_written(lab: ClusterLab, live: Live, successor: Json) -> None:
    """Wake the one that was stopped: it says whose the rollout is now, ends, and what the successor wrote stays as it is."""
    live.process.send_signal(signal.SIGCONT)
    summary, said = live.ended(3)

    assert "has taken this rollout over, so nothing more is written by this one" in said
    assert summary["outcome"] == "error"
    assert "Traceback" not in said
    assert written(lab) == successor


def test_of_two_machines_one_is_refused_and_one_that_slept_writes_nothing_over_its_successor(
    up: ClusterLab, elsewhere: ClusterLab, versions: tuple[str, str]
) -> None:
    aside(up)
    here, there = (lab.start("rollout", "canary", *LONG, "--to", versions[1]) for lab in (up, elsewhere))
    try:
        wait_for(lambda: here.poll() is not None or there.poll() is not None, "both roll out")
        refused, winner, winners = (there, here, up) if there.poll() is not None else (here, there, elsewhere)
        _, said = refused.communicate()
        assert refused.returncode == 3, said
        assert f"labctl rollout canary {' '.join(LONG)} --to {versions[1]} (pid {winner.pid} on " in said or "changes this lab now" in said

        live = Live(winners, winner)
        live.reaches("analyse")
        winner.send_signal(signal.SIGSTOP)
        other = elsewhere if winners is up else up
        ended = json.loads(other.labctl("abort", "--json").stdout)
        assert ended["outcome"] == "interrupted"
        require_one_version(other, versions[0])

        require_nothing_written(other, live, written(other))
        require_one_version(other, versions[0])
    finally:
        for process in (here, there):
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()


@pytest.mark.everything
@pytest.mark.parametrize("command", ["resume", "rollout"])
def test_one_that_slept_longer_than_its_lease_writes_nothing_over_who_went_on(
    up: ClusterLab, elsewhere: ClusterLab, versions: tuple[str, str], command: str
) -> None:
    """Nobody had to take it over by force: after a minute without a word from it, its rollout counts as left behind."""
    with rollout(up, "--to", versions[1], *(FEW_USERS if command == "rollout" else ())) as live:
        live.reaches("analyse")
        live.process.send_signal(signal.SIGSTOP)
        refused = elsewhere.labctl("rollout", "canary", *QUICK, "--to", versions[1], code=3)
        assert f"(pid {live.process.pid} on " in refused.stderr
        wait_for(lambda: status(elsewhere)["holder"] is None, "its lease does not run out")

        arguments = ("resume",) if command == "resume" else (*SUCCESSOR, "--to", versions[1])
        summary = json.loads(elsewhere.labctl(*arguments, "--json").stdout)
        assert summary["outcome"] == "promoted"
        require_one_version(elsewhere, versions[1])

        require_nothing_written(elsewhere, live, written(elsewhere))
    require_one_version(up, versions[1])


@pytest.mark.everything
def test_one_that_sleeps_is_superseded_at_once_and_writes_nothing_over_its_successor(
    up: ClusterLab, elsewhere: ClusterLab, versions: tuple[str, str]
) -> None:
    """Its lease has not run out; who says --supersede does not wait for that."""
    with rollout(up, "--to", versions[1], *FEW_USERS) as live:
        live.reaches("analyse")
        live.process.send_signal(signal.SIGSTOP)
        done = elsewhere.labctl(*SUCCESSOR, "--to", versions[1], "--supersede", "--json")
        assert json.loads(done.stdout)["outcome"] == "promoted"
        said = " ".join(done.stderr.split())
        assert f"(pid {live.process.pid} on " in said
        assert "cannot be asked from here; what it does is taken over" in said
        require_one_version(elsewhere, versions[1])

        require_nothing_written(elsewhere, live, written(elsewhere))
    require_one_version(up, versions[1])

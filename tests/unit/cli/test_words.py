"""Words to a rollout that runs elsewhere: the same is promised of those in a run's folder and of those on a cluster's Lease."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from cli import file_control
from cli.clock import SystemClock
from cli.file_control import FileControl
from platforms.kubernetes import words
from platforms.kubernetes.client import Cluster
from platforms.kubernetes.lease import Lease
from platforms.kubernetes.words import ANNOTATION, LeasedWords
from strategies.errors import TakenOver, UsageError
from strategies.steering import NOBODY, Command, Control
from tests.unit.kubernetes.api_server import ApiServer, api_server

PAUSE, RESUME, PROMOTE, FULL, _ = Command


class Place(Protocol):
    """Where words are left."""

    def begin(self) -> Control:
        """A rollout begins to listen."""

    def leave(self, command: Command) -> None:
        """A person leaves a word."""

    def garble(self) -> None:
        """Somebody leaves what is no word."""


class InAFile:
    """Words in a run's folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> FileControl:
        return FileControl(self._path)

    def leave(self, command: Command) -> None:
        file_control.leave(self._path, command)

    def garble(self) -> None:
        with self._path.open("a") as file:
            file.write("dance\n")


class OnACluster:
    """Words on a Lease; each rollout that begins takes over from the one before."""

    def __init__(self, server: ApiServer, cluster: Cluster, held: ExitStack) -> None:
        self.server, self.cluster = server, cluster
        self.lease = Lease(cluster, "lab", clock=SystemClock())
        self._held = held
        # somebody has rolled out here before
        self.begin()

    def begin(self) -> LeasedWords:
        return LeasedWords(self.cluster, "lab", self._held.enter_context(self.lease.held("labctl rollout", take_over=True)))

    def leave(self, command: Command) -> None:
        words.leave(self.cluster, "lab", command, clock=SystemClock())

    def garble(self) -> None:
        lease = self.server.objects[Lease.path("lab")]
        lease["metadata"]["annotations"][ANNOTATION] = '[["a", "dance"]]'


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[OnACluster]:
    with api_server(tmp_path) as (server, config):
        cluster = Cluster("test", clock=SystemClock(), patience=5.0, kubeconfig=config)
        with ExitStack() as held:
            yield OnACluster(server, cluster, held)
        cluster.close()


@pytest.fixture(params=["file", "cluster"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return InAFile(tmp_path / "control.jsonl")
    found: OnACluster = request.getfixturevalue("cluster")
    return found


def test_each_word_is_taken_once_and_the_oldest_first(place: Place) -> None:
    control = place.begin()

    assert control.take() == ()
    place.leave(PAUSE)
    place.leave(RESUME)
    place.leave(PAUSE)
    assert control.take() == (PAUSE, RESUME, PAUSE)
    place.leave(FULL)
    assert control.take() == (FULL,)
    assert control.take() == ()


def test_a_word_for_the_rollout_before_is_not_for_this_one(place: Place) -> None:
    place.begin()
    place.leave(PROMOTE)
    control = place.begin()

    assert control.take() == ()
    place.leave(PAUSE)
    assert control.take() == (PAUSE,)


def test_none_is_lost_when_many_are_left_at_once(place: Place) -> None:
    control = place.begin()

    with ThreadPoolExecutor(8) as persons:
        left = [persons.submit(place.leave, command) for command in (PAUSE, PROMOTE) for _ in range(20)]
        taken: list[Command] = []
        while not all(one.done() for one in left):
            taken += control.take()
    assert [one.exception() for one in left] == [None] * 40
    taken += control.take()

    assert sorted(taken) == [PAUSE] * 20 + [PROMOTE] * 20


def test_what_is_no_word_is_passed_over(place: Place) -> None:
    control = place.begin()

    place.garble()
    place.leave(PAUSE)

    assert control.take() == (PAUSE,)


# --- on a cluster ------------------------------------------------------------------------------------------------


def test_a_word_whose_answer_was_lost_is_left_once(cluster: OnACluster) -> None:
    """Asked again, the API server says that somebody was quicker: that was the same word."""
    control = cluster.begin()
    cluster.server.lost = 1

    cluster.leave(PAUSE)

    assert control.take() == (PAUSE,)


def test_words_wait_while_the_api_server_is_away(cluster: OnACluster) -> None:
    control = cluster.begin()
    cluster.leave(PAUSE)
    cluster.server.failures = 1

    assert control.take() == ()
    assert control.take() == (PAUSE,)


def test_who_was_taken_over_hears_so_and_not_the_words_for_the_successor(cluster: OnACluster) -> None:
    before = cluster.begin()
    cluster.begin()
    cluster.leave(PROMOTE)

    with pytest.raises(TakenOver, match=r"labctl rollout \(pid \d+ on .*\) has taken this rollout over"):
        before.take()


def test_a_lease_is_released_however_many_words_come_in(cluster: OnACluster) -> None:
    """And who comes too late hears that nobody is there."""

    def go_on(leave: Callable[[Command], None]) -> str:
        while True:
            try:
                leave(PAUSE)
            except UsageError as error:
                return str(error)

    with ThreadPoolExecutor(4) as persons:
        with cluster.lease.held("labctl rollout", take_over=True) as held:
            control = LeasedWords(cluster.cluster, "lab", held)
            said = [persons.submit(go_on, cluster.leave) for _ in range(4)]
            taken: list[Command] = []
            while len(taken) < 20:
                taken += control.take()

        assert {one.result() for one in said} == {NOBODY}
    assert cluster.lease.holder() is None


def test_a_word_for_nobody_is_one_sentence_and_wrong_usage(tmp_path: Path) -> None:
    with api_server(tmp_path) as (server, config):
        server.objects["/api/v1/namespaces/lab"] = {"metadata": {"name": "lab"}}
        environment = {**os.environ, "KUBECONFIG": str(config), "LAB_HOME": str(tmp_path / "lab"), "LAB_RUNS": str(tmp_path / "runs")}
        for command in (("pause",), ("promote", "--full"), ("abort",)):
            asked = [sys.executable, "-m", "cli", *command, "--platform", "kubernetes", "--context", "test"]
            done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=60, check=False)

            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith("labctl: no rollout is under way")
            assert done.stderr.count("\n") == 1

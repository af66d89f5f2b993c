"""Those who look on at a lab ask it together, and hear what it says, be it that it does not answer."""

import threading
from pathlib import Path

import pytest

from cli.clock import SystemClock
from cli.labs import Holder
from cli.local_lab import LocalLab
from cli.onlookers import MOMENT, Onlookers
from cli.settings import Settings
from strategies.errors import ToolFailed
from tests.waiting import wait_for


class Asked(LocalLab):
    """A lab that counts who asks it, and how many did at once."""

    def __init__(self, folder: Path, error: ToolFailed | None = None) -> None:
        super().__init__(Settings(home=folder / "lab", runs=folder / "runs", store=folder / "models"), SystemClock())
        self.error = error
        self.times = self.inside = self.most = 0
        self.go = threading.Event()

    def holder(self) -> Holder | None:
        self.times += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.go.wait(10)
        self.inside -= 1
        if self.error:
            raise self.error
        return super().holder()


@pytest.mark.parametrize("error", [None, ToolFailed("the cluster does not answer")])
def test_many_who_ask_at_once_are_one_question_with_one_answer(tmp_path: Path, error: ToolFailed | None) -> None:
    lab = Asked(tmp_path, error)
    onlookers, said = Onlookers(lambda: lab), []

    def look() -> str:
        try:
            said.append(str(onlookers.standing().holder))
        except ToolFailed as told:
            said.append(str(told))
        return said[-1]

    looking = [threading.Thread(target=look) for _ in range(8)]
    for one in looking:
        one.start()
    wait_for(lambda: lab.inside, "nobody asks", 10)
    lab.go.set()
    for one in looking:
        one.join()

    assert said == [str(error)] * 8
    assert (lab.times, lab.most) == (1, 1)
    # and what has changed since is heard a moment later
    lab.error = None
    wait_for(lambda: look() == "None", "the answer is never asked anew", 20 * MOMENT)


def test_nothing_is_asked_before_somebody_looks() -> None:
    """A list of runs can be shown where there is no cluster any more."""

    def gone() -> LocalLab:
        raise ToolFailed("there is no such cluster")

    onlookers = Onlookers(gone)
    with pytest.raises(ToolFailed, match="no such cluster"):
        onlookers.standing()

"""Which versions a store in the cluster is given: those that are asked for, and those that run, as what it has ends with its pod."""

import pytest

from platforms.kubernetes import model_store
from strategies.errors import StoreRefused

HERE = {"v1": "aa11", "v2": "bb22", "v3": "cc33"}


def missing(there: dict[str, str], running: dict[str, str], only: str = "") -> tuple[list[str], list[str]]:
    """What is published, and what is said instead."""
    said: list[str] = []
    return model_store.missing(HERE, there, running, only, said.append), said


def test_a_store_that_was_replaced_is_given_everything_by_up_and_what_is_needed_by_a_rollout() -> None:
    assert missing({}, {"v1": "aa11"}) == (["v1", "v2", "v3"], [])
    assert missing({}, {"v1": "aa11"}, only="v2") == (["v1", "v2"], [])


def test_what_is_there_is_left_alone() -> None:
    assert missing({"v1": "aa", "v2": "bb", "v3": "cc"}, {"v1": "aa11"}) == ([], [])
    assert missing({"v1": "aa"}, {"v1": "aa11"}, only="v2") == (["v2"], [])


def test_a_version_that_runs_and_was_trained_anew_here_is_not_published_in_its_place() -> None:
    """The store takes a name once, so the right model could never be published after it."""
    for only, wanted in (("", ["v2", "v3"]), ("v2", ["v2"])):
        published, (said,) = missing({}, {"v1": "ff99"}, only)
        assert published == wanted
        assert said.startswith("the v1 on this machine is another model than the one that runs in the cluster, whose replicas cannot")
    with pytest.raises(StoreRefused, match="train it under a name of its own"):
        missing({}, {"v1": "ff99"}, only="v1")


def test_one_that_runs_and_is_in_the_store_does_not_hinder_a_rollout_of_another() -> None:
    assert missing({"v1": "ff"}, {"v1": "ff99"}, only="v2") == (["v2"], [])
    # the store refuses another model of that name itself
    assert missing({"v1": "ff"}, {"v1": "ff99"}, only="v1") == (["v1"], [])

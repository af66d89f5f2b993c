"""The cluster that these tests share, as each module finds it."""

from collections.abc import Iterator

import pytest

from tests.cluster.lab import MINUTES, NAME, ClusterLab
from tests.cluster.rollouts import other_than, require_one_version, stable

__all__ = ["MINUTES", "NAME", "ClusterLab"]


@pytest.fixture(scope="module")
def lab(cluster_lab: ClusterLab) -> ClusterLab:
    """The lab with two replicas of v1 in blue, whatever the module before left there."""
    cluster_lab.serve(replicas=2)
    return cluster_lab


@pytest.fixture(scope="module")
def up(lab: ClusterLab) -> ClusterLab:
    """The same."""
    return lab


@pytest.fixture
def versions(up: ClusterLab) -> Iterator[list[str]]:
    """The version that serves and the other good one; afterwards the last of the list serves, alone, and nobody is left behind."""
    serving = stable(up)["version"]
    versions = [serving, other_than(serving)]
    yield versions
    require_one_version(up, versions[-1])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that make and delete a cluster of their own come first, so that there is never more than one."""
    items.sort(key=lambda item: item.path.name != "test_up_down.py")

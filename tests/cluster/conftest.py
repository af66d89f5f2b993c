"""The cluster that these tests share, as each module finds it."""

import pytest

from tests.cluster.lab import MINUTES, NAME, ClusterLab

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that make and delete a cluster of their own come first, so that there is never more than one."""
    items.sort(key=lambda item: item.path.name != "test_up_down.py")

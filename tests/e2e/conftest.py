"""Fixtures of the end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.labctl import Labctl

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever is in this folder, so that `make e2e-all` leaves none of it out; a test elsewhere may be in the same run."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def labctl(tmp_path: Path, store: Path) -> Iterator[Labctl]:
    """A place of its own for one test; whatever it starts has ended afterwards."""
    labctl = Labctl(tmp_path, store)
    yield labctl
    labctl.end()
    assert labctl.left_running() == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[Labctl]:
    """One lab for the tests of a module that end where they began, with v1 stable."""
    labctl = Labctl(tmp_path_factory.mktemp("shared"), store)
    done = labctl.run("up")
    assert done.returncode == 0, done.stderr
    yield labctl
    labctl.end()
    assert labctl.left_running() == []

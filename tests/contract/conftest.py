"""One lab per platform for all of the contract's tests, put back to where it was before each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.cases import read_cases
from strategies.platform import Platform
from strategies.traffic import Slot
from tests.contract.backend import BACKENDS, Backend
from tests.contract.gateway import Gateway
from tests.starting import start_from

KIND = pytest.param("kind", marks=[pytest.mark.cluster, pytest.mark.timeout(20 * 60)])
PLATFORMS = [KIND if name == "kind" else name for name in BACKENDS]


@pytest.fixture(scope="module", params=PLATFORMS)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A lab on each platform."""
    with BACKENDS[request.param](request, tmp_path_factory.mktemp(request.param)) as backend:
        yield backend


@pytest.fixture
def platform(lab: Backend) -> Platform:
    """The platform with one replica of v1 in blue, which has all the traffic, and nothing in green."""
    # whatever the test before left there has nobody to be polite to
    lab.clear(Slot.GREEN)
    platform = lab.connect()
    start_from(platform, 1)
    return platform


@pytest.fixture
def gateway(lab: Backend, platform: Platform, store: Path) -> Iterator[Gateway]:
    """Users of the lab."""
    with Gateway(lab.url, read_cases(store / "holdout.csv")) as gateway:
        yield gateway

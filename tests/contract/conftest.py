"""One lab per platform for all of the contract's tests, put back to where it was before each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.cases import read_cases
from strategies.plan import Release
from strategies.platform import Platform
from strategies.traffic import Slot, Traffic
from tests.contract.backend import BACKENDS, Backend
from tests.contract.gateway import Gateway


@pytest.fixture(scope="module", params=BACKENDS)
def lab(request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A lab on each platform."""
    with BACKENDS[request.param](store, tmp_path_factory.mktemp(request.param)) as backend:
        yield backend


@pytest.fixture
def platform(lab: Backend) -> Platform:
    """The platform with one replica of v1 in blue, which has all the traffic, and nothing in green."""
    platform = lab.connect()
    traffic = platform.observe().traffic
    if traffic and platform.observe().slots[Slot.BLUE].version not in {"", "v1"}:
        # blue is exchanged while nobody looks
        platform.route(Traffic(stable=Slot.GREEN))
    platform.deploy(Slot.BLUE, Release(version="v1", replicas=1))
    platform.route(Traffic(stable=Slot.BLUE))
    # whatever the test before left there has nobody to be polite to
    for _ in lab.replicas(Slot.GREEN):
        lab.kill(Slot.GREEN)
    platform.retire(Slot.GREEN)
    return platform


@pytest.fixture
def gateway(lab: Backend, platform: Platform, store: Path) -> Iterator[Gateway]:
    """Users of the lab."""
    with Gateway(lab.url, read_cases(store / "holdout.csv")) as gateway:
        yield gateway

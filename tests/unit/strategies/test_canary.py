"""A canary's plan is data: what it does is told by comparing it with what it should be."""

import pytest

from strategies.canary import CanaryOptions, canary
from strategies.errors import UsageError
from strategies.plan import Analyse, Baseline, Deploy, Drain, Hold, Promote, Release, Retire, Route, Step
from strategies.traffic import Slot, Traffic

BLUE, GREEN = Slot.BLUE, Slot.GREEN


def deploy(replicas: int) -> Deploy:
    return Deploy(GREEN, Release(version="v2", replicas=replicas))


def route(weight: int) -> Route:
    return Route(Traffic(stable=BLUE, weight=weight))


PROMOTION = (Promote(GREEN), Hold(7.0, "promoted"), Drain(BLUE), Retire(BLUE))
BEFORE, JUDGED = Baseline(6.0), Analyse(30.0)


@pytest.mark.parametrize(
    ("weights", "replicas", "steps"),
    [
        pytest.param((10,), 1, (BEFORE, deploy(1), route(10), JUDGED, route(100), *PROMOTION), id="10 % of 1 replica"),
        pytest.param((10,), 10, (BEFORE, deploy(1), route(10), JUDGED, deploy(10), route(100), *PROMOTION), id="10 % of 10 replicas"),
        pytest.param(
            (10, 25, 50),
            1,
            (BEFORE, deploy(1), route(10), JUDGED, route(25), JUDGED, route(50), JUDGED, route(100), *PROMOTION),
            id="10, 25, 50 % of 1 replica",
        ),
        pytest.param(
            (10, 25, 50),
            10,
            (
                *(BEFORE, deploy(1), route(10), JUDGED, deploy(3), route(25), JUDGED, deploy(5), route(50), JUDGED),
                *(deploy(10), route(100), *PROMOTION),
            ),
            id="10, 25, 50 % of 10 replicas",
        ),
        pytest.param((100,), 1, (BEFORE, deploy(1), route(100), JUDGED, *PROMOTION), id="100 % of 1 replica"),
        pytest.param((100,), 10, (BEFORE, deploy(10), route(100), JUDGED, *PROMOTION), id="100 % of 10 replicas"),
    ],
)
def test_plan(weights: tuple[int, ...], replicas: int, steps: tuple[Step, ...]) -> None:
    options = CanaryOptions(to_version="v2", stable=BLUE, weights=weights, replicas=replicas, hold=30.0, baseline=6.0, keep=7.0)

    plan = canary(options)

    assert plan.steps == steps
    assert plan.way_back == (route(0), Drain(GREEN), Retire(GREEN))
    assert (plan.strategy, plan.replicas) == ("canary", replicas)


def test_the_slots_change_places_where_green_is_stable() -> None:
    plan = canary(CanaryOptions(to_version="v3", stable=GREEN, weights=(100,), replicas=2))

    assert plan.steps == (
        Baseline(5.0),
        Deploy(BLUE, Release(version="v3", replicas=2)),
        Route(Traffic(stable=GREEN, weight=100)),
        Analyse(55.0),
        Promote(BLUE),
        Hold(5.0, "promoted"),
        Drain(GREEN),
        Retire(GREEN),
    )
    assert plan.way_back == (Route(Traffic(stable=GREEN)), Drain(BLUE), Retire(BLUE))


@pytest.mark.parametrize(
    ("nonsense", "sentence"),
    [
        ({"weights": ()}, "1 to 100 percent, not empty"),
        ({"weights": (0,)}, "1 to 100 percent, not 0"),
        ({"weights": (101,)}, "1 to 100 percent, not 101"),
        ({"weights": (10, -5)}, "1 to 100 percent, not 10, -5"),
        ({"weights": (25, 10)}, "must grow, and 25,10 do not"),
        ({"weights": (10, 10)}, "must grow, and 10,10 do not"),
        ({"replicas": 0}, "at least one replica, not 0"),
        ({"hold": -1.0}, "not negative"),
        ({"baseline": -0.1}, "not negative"),
        ({"keep": -5.0}, "not negative"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(nonsense: dict[str, object], sentence: str) -> None:
    options = CanaryOptions(**{"to_version": "v2", "stable": BLUE, **nonsense})  # type: ignore[arg-type]  # nonsense has any type

    with pytest.raises(UsageError, match=sentence):
        canary(options)

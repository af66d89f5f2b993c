"""Every strategy's plan is what its name means, told by comparing it with what it should be."""

import pytest

from strategies.ab_test import AbTestOptions, ab_test
from strategies.blue_green import BlueGreenOptions, blue_green
from strategies.canary import CanaryOptions, canary
from strategies.errors import UsageError
from strategies.in_place import InPlaceOptions, recreate, rolling
from strategies.plan import (
    Analyse,
    Baseline,
    Deploy,
    Drain,
    Gate,
    Hold,
    Plan,
    Promote,
    Release,
    Replace,
    Replacement,
    Retire,
    Route,
    Step,
    Subject,
)
from strategies.shadow import ShadowOptions, shadow
from strategies.traffic import Match, Slot, Traffic
from strategies.undo import undo

BLUE, GREEN = Slot.BLUE, Slot.GREEN
V1, V2 = Release(version="v1", replicas=3), Release(version="v2", replicas=4)
BETA = Match(name="x-user-group", value="beta", share=25)
BACK = (Route(Traffic(stable=BLUE)), Drain(GREEN), Retire(GREEN))
PROMOTION = (Promote(GREEN), Hold(7.0, "promoted"), Drain(BLUE), Retire(BLUE))
EVERYBODY = Route(Traffic(stable=BLUE, weight=100))


def forgetting(*steps: Step) -> tuple[Step, ...]:
    """The same, with the run's cookie taken back by each change of routes."""
    return tuple(
        Route(Traffic(stable=step.traffic.stable, weight=step.traffic.weight, forget="run")) if isinstance(step, Route) else step
        for step in steps
    )


def deploy(replicas: int) -> Deploy:
    return Deploy(GREEN, Release(version="v2", replicas=replicas))


def exchange(release: Release, how: Replacement) -> Replace:
    return Replace(BLUE, release, how, 1, 0)


IN_PLACE = InPlaceOptions(to_version="v2", before=V1, stable=BLUE, replicas=4, hold=20.0, baseline=6.0)
SHADOW = Route(Traffic(stable=BLUE, mirror=50))


@pytest.mark.parametrize(
    ("plan", "steps", "way_back"),
    [
        pytest.param(
            recreate(IN_PLACE),
            (Baseline(6.0), exchange(V2, Replacement.RECREATE), Analyse(20.0, Subject.IN_PLACE), Promote(BLUE)),
            (exchange(V1, Replacement.RECREATE),),
            id="recreate goes back to as many replicas as there were, in the same manner",
        ),
        pytest.param(
            rolling(IN_PLACE),
            (Baseline(6.0), exchange(V2, Replacement.ROLLING), Analyse(20.0, Subject.IN_PLACE), Promote(BLUE)),
            (exchange(V1, Replacement.ROLLING),),
            id="rolling",
        ),
        pytest.param(
            blue_green(BlueGreenOptions(to_version="v2", stable=BLUE, replicas=4, preview=9.0, hold=20.0, baseline=6.0, keep=7.0)),
            (
                *(Baseline(6.0), deploy(4), Route(Traffic(stable=BLUE, preview=True)), Analyse(9.0, Subject.PREVIEW)),
                *(EVERYBODY, Analyse(20.0), *PROMOTION),
            ),
            BACK,
            id="blue-green at full size, previewed, one switch",
        ),
        pytest.param(
            canary(CanaryOptions(to_version="v2", stable=BLUE, replicas=4, manual=True, hold=20.0, baseline=6.0, keep=7.0)),
            (
                *(Baseline(6.0), deploy(1), Route(Traffic(stable=BLUE, weight=10)), Analyse(20.0), Gate()),
                *(deploy(4), EVERYBODY, *PROMOTION),
            ),
            BACK,
            id="manual canary",
        ),
        pytest.param(
            ab_test(AbTestOptions(to_version="v2", stable=BLUE, replicas=4, share=50, token="run", hold=20.0, baseline=6.0)),
            (
                *(Baseline(6.0), deploy(2), Route(Traffic(stable=BLUE, weight=50, sticky="run"))),
                *(Analyse(20.0, Subject.EXPERIMENT), *forgetting(*BACK)),
            ),
            forgetting(*BACK),
            id="A/B test by share ends where it began",
        ),
        pytest.param(
            ab_test(
                AbTestOptions(to_version="v2", stable=BLUE, replicas=4, match=BETA, promote_winner=True, hold=20.0, baseline=6.0, keep=7.0)
            ),
            (
                *(Baseline(6.0), deploy(1), Route(Traffic(stable=BLUE, match=BETA))),
                *(Analyse(20.0, Subject.EXPERIMENT, needs_winner=True), deploy(4), EVERYBODY, *PROMOTION),
            ),
            BACK,
            id="A/B test by match promotes a winner",
        ),
        pytest.param(
            shadow(ShadowOptions(to_version="v2", stable=BLUE, replicas=4, mirror=50, hold=20.0, baseline=6.0)),
            (Baseline(6.0), deploy(2), SHADOW, Analyse(20.0, Subject.SHADOW), *BACK),
            BACK,
            id="shadow ends where it began",
        ),
        pytest.param(
            shadow(ShadowOptions(to_version="v2", stable=BLUE, replicas=4, mirror=50, promote=True, hold=20.0, baseline=6.0, keep=7.0)),
            (Baseline(6.0), deploy(2), SHADOW, Analyse(20.0, Subject.SHADOW), deploy(4), EVERYBODY, *PROMOTION),
            BACK,
            id="shadow that promotes",
        ),
        pytest.param(undo(V2, BLUE, baseline=6.0, keep=7.0), (Baseline(6.0), deploy(4), EVERYBODY, *PROMOTION), BACK, id="undo"),
    ],
)
def test_plan(plan: Plan, steps: tuple[Step, ...], way_back: tuple[Step, ...]) -> None:
    assert plan.steps == steps
    assert plan.way_back == way_back
    assert plan.replicas == 4
    assert plan.in_place == any(isinstance(step, Replace) for step in steps)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rolling(InPlaceOptions(to_version="v2", before=V1, stable=BLUE, max_surge=0, max_unavailable=0)),
        lambda: rolling(InPlaceOptions(to_version="v2", before=V1, stable=BLUE, max_surge=-1)),
        lambda: recreate(InPlaceOptions(to_version="v2", before=V1, stable=BLUE, replicas=0)),
        lambda: blue_green(BlueGreenOptions(to_version="v2", stable=BLUE, preview=-1.0)),
        lambda: ab_test(AbTestOptions(to_version="v2", stable=BLUE, share=100)),
        lambda: ab_test(AbTestOptions(to_version="v2", stable=BLUE, share=0)),
        lambda: shadow(ShadowOptions(to_version="v2", stable=BLUE, mirror=0)),
        lambda: shadow(ShadowOptions(to_version="v2", stable=BLUE, mirror=101)),
    ],
)
def test_nonsense_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()

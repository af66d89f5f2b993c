"""Who stays where in an experiment, on every platform: by the cookie of its own run, and by none after it."""

import httpx

from strategies.plan import Release
from strategies.platform import Platform
from strategies.traffic import Slot, Traffic
from strategies.userlog import SLOT_HEADER
from tests.contract.backend import Backend

BLUE, GREEN = Slot.BLUE, Slot.GREEN


def ask(lab: Backend, cookie: str = "") -> httpx.Response:
    """One user's answer; each has a connection of its own, as another browser would."""
    return httpx.get(f"{lab.url}/version", headers={"cookie": cookie} if cookie else {}, trust_env=False)


def test_a_user_stays_by_the_cookie_of_this_run_and_by_no_other(platform: Platform, lab: Backend) -> None:
    platform.deploy(GREEN, Release(version="v2", replicas=1))
    # all of the others go to stable, so that who goes to the candidate was sent there by the cookie
    platform.route(Traffic(stable=BLUE, weight=0, sticky="this"))

    own, strange = ask(lab, "lab-this=green"), ask(lab, "lab-another=green")

    assert own.headers[SLOT_HEADER] == "green"
    assert strange.headers[SLOT_HEADER] == "blue"
    assert strange.headers["set-cookie"].startswith("lab-this=blue")


def test_after_the_run_its_cookie_has_no_effect_and_is_taken_back_from_who_still_has_it(platform: Platform, lab: Backend) -> None:
    platform.deploy(GREEN, Release(version="v2", replicas=1))
    platform.route(Traffic(stable=BLUE, weight=50, sticky="this"))
    platform.route(Traffic(stable=BLUE, forget="this"))

    remembered, others = ask(lab, "theme=dark; lab-this=green"), ask(lab, "theme=dark")

    assert remembered.headers[SLOT_HEADER] == others.headers[SLOT_HEADER] == "blue"
    assert remembered.headers["set-cookie"].startswith("lab-this=; ")
    assert "Max-Age=0" in remembered.headers["set-cookie"]
    assert "set-cookie" not in others.headers

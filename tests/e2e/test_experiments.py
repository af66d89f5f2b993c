"""How an A/B test and a shadow end, with which exit code, and what is left with users: nothing."""

import json
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from strategies.traffic import Slot
from tests.e2e.labctl import Labctl
from tests.e2e.staying import strayed

LOAD = ("--rate", "100", "--baseline", "2s", "--objective-latency", "3s", "--keep", "1s")
"""Slower than that is nothing but a broken machine: a busy one must not be taken for a bad candidate."""


def perform(labctl: Labctl, *arguments: str, code: int) -> dict[str, Any]:
    done = labctl.run("rollout", *arguments[:1], *LOAD, *arguments[1:], "--json", timeout=170)
    assert done.returncode == code, f"exit code {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def cookie_of(labctl: Labctl) -> str:
    """The name of the cookie by which the users of the newest run stay."""
    plan = json.loads(max(labctl.runs.glob("*/plan.json")).read_text())["plan"]
    (token,) = {step["traffic"]["sticky"] for step in plan["steps"] if step["type"] == "Route" and step["traffic"].get("sticky")}
    return f"lab-{token}"


def require_forgotten(labctl: Labctl, name: str) -> None:
    """Who still has the cookie loses it with the next answer, and is served as everybody."""
    gateway = f"http://127.0.0.1:{labctl.lab().gateway_port}/version"
    everybody = httpx.get(gateway, trust_env=False)
    for slot in Slot:
        answer = httpx.get(gateway, headers={"cookie": f"{name}={slot}"}, trust_env=False)
        assert answer.headers["x-served-by"] == everybody.headers["x-served-by"]
        assert answer.headers["set-cookie"].startswith(f"{name}=;")
        assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "set-cookie" not in everybody.headers


@pytest.mark.everything
def test_after_an_aborted_experiment_its_cookie_is_taken_back(shared: Labctl) -> None:
    with shared.started("rollout", "ab-test", *LOAD, "--hold", "90s", "--detect", "1", "--json") as rollout:
        shared.wait_for_step("analyse")
        name = cookie_of(shared)
        gateway = f"http://127.0.0.1:{shared.lab().gateway_port}/version"
        given = httpx.get(gateway, headers={"cookie": "lab-of-another-run=green"}, trust_env=False)
        assert given.headers["set-cookie"].startswith(f"{name}=")
        assert shared.run("abort").returncode == 0
        out, _ = rollout.communicate(timeout=60)

    assert json.loads(out)["outcome"] == "interrupted"
    require_forgotten(shared, name)


@pytest.mark.everything
def test_a_winner_is_promoted_where_that_is_asked_for_and_else_only_named(labctl: Labctl) -> None:
    assert labctl.run("up", "--version", "v2-wrong").returncode == 0

    named = perform(labctl, "ab-test", "--hold", "60s", code=0)
    require_forgotten(labctl, cookie_of(labctl))
    promoted = perform(labctl, "ab-test", "--hold", "60s", "--promote-winner", code=0)

    assert (named["outcome"], promoted["outcome"]) == ("completed", "promoted")
    assert named["reason"].startswith("winner: candidate right")
    assert named["findings"][-1]["facts"]["randomised"] == "yes"
    assert [strayed(labctl.runs / summary["id"]) for summary in (named, promoted)] == [[], []]
    assert labctl.answer().headers["x-served-by"] == "v2"
    require_forgotten(labctl, cookie_of(labctl))


@pytest.mark.everything
def test_no_difference_is_an_end_and_says_what_would_have_been_found(shared: Labctl) -> None:
    """An A/A run: with --promote-winner too, who is no better is not promoted."""
    same = ("--to", "v1", "--force", "--promote-winner")
    summary = perform(shared, "ab-test", *same, "--detect", "30", "--hold", "20s", code=0)

    assert summary["outcome"] == "completed"
    assert "no difference found" in summary["reason"]
    assert "points would have been found" in summary["reason"]
    assert shared.answer().headers["x-served-by"] == "v1"


@pytest.mark.everything
def test_too_few_users_cannot_tell(shared: Labctl) -> None:
    summary = perform(shared, "ab-test", "--rate", "10", "--hold", "4s", code=3)

    assert summary["outcome"] == "inconclusive"
    assert "too few users to tell" in summary["reason"]
    assert shared.answer().headers["x-served-by"] == "v1"


@pytest.mark.everything
@pytest.mark.parametrize("nobody", [("--group-share", "0"), ("--rate", "0")], ids=["who has the header", "at all"])
def test_users_who_were_not_chosen_by_the_lab_are_not_called_randomised(shared: Labctl, nobody: tuple[str, str]) -> None:
    """Nobody of the lab's users is there who has the header, so there is nobody to compare with either."""
    summary = perform(shared, "ab-test", "--match", "x-user-group=beta", *nobody, "--hold", "4s", code=3)

    assert summary["findings"][-1]["facts"]["randomised"].startswith("not randomised")


@pytest.mark.everything
@pytest.mark.parametrize("writes", [(), ("--mirror-writes",)], ids=["what only asks", "what changes something too"])
def test_only_a_shadow_that_may_gets_a_copy_of_what_changes_something(shared: Labctl, writes: tuple[str, ...]) -> None:
    """The last in this lab: judged good, it is promoted where that is asked for."""
    promote = ("--promote", "--hold", "12s") if writes else ("--hold", "90s", "--detect", "1")
    with shared.started("rollout", "shadow", *LOAD, "--detect", "40", *writes, *promote, "--json") as rollout:
        shared.wait_for_step("analyse")
        gateway = f"http://127.0.0.1:{shared.lab().gateway_port}/feedback"
        for number in range(20):
            truth = {"request_id": f"unknown-{number}", "truth": "benign"}
            assert httpx.post(gateway, json=truth, trust_env=False).status_code < 300
        shared.wait_for("copies", lambda: copied(shared, "/predict") > 0)
        if writes:
            shared.wait_for("copies of feedback", lambda: copied(shared, "/feedback") == 20)
        else:
            assert copied(shared, "/feedback") == 0
            assert shared.run("abort").returncode == 0
        out, err = rollout.communicate(timeout=90)

    assert json.loads(out)["outcome"] == ("promoted" if writes else "interrupted"), err
    assert rollout.returncode == (0 if writes else 130)


def copied(labctl: Labctl, handler: str) -> float:
    """How many copies of requests to `handler` the candidate's replicas have got."""
    texts = [httpx.get(f"http://{replica.instance}/metrics", trust_env=False).text for replica in labctl.lab().in_slot(Slot.GREEN)]
    samples = [sample for text in texts for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == "model_api_requests_total" and (sample.labels["handler"], sample.labels["mirrored"]) == (handler, "true")
    )

"""`labctl dashboard` shows a rollout while it runs, and only its own page may steer it."""

import re

import httpx

from tests.e2e.labctl import Labctl


def test_a_running_rollout_is_shown_and_aborted_from_its_page_alone(labctl: Labctl) -> None:
    quick = ("--rate", "50", "--baseline", "1s", "--hold", "120s", "--weight", "50")
    with labctl.started("dashboard") as dashboard, labctl.started("rollout", "canary", *quick) as rollout:
        assert dashboard.stdout is not None
        address = dashboard.stdout.readline().strip()
        labctl.wait_for_step("analyse", 120)
        name = next(labctl.runs.glob("*/plan.json")).parent.name
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as browser:
            labctl.wait_for("page", lambda: _answers(browser), 20)
            assert f"/runs/{name}" in browser.get("/").text
            page = browser.get(f"/runs/{name}").text
            assert "not ended" in page
            assert "<svg" in page
            (token,) = re.findall(r'"x-lab-token": "([^"]+)"', page)
            with browser.stream("GET", f"/runs/{name}/changes") as notices:
                assert "data: changed" in notices.iter_lines()

            assert browser.get("/", headers={"host": "somewhere.example"}).status_code == 400
            assert browser.get("/runs/no-such-run").status_code == 404
            assert browser.post(f"/runs/{name}/abort").status_code == 403
            assert browser.post(f"/runs/{name}/abort", headers={"x-lab-token": "x"}).status_code == 403
            assert browser.post(f"/runs/{name}/explode", headers={"x-lab-token": token}).status_code == 404
            assert rollout.poll() is None
            assert browser.post(f"/runs/{name}/pause", headers={"x-lab-token": token}).text == "asked to pause"
            assert browser.post(f"/runs/{name}/abort", headers={"x-lab-token": token}).status_code == 200

            _, err = rollout.communicate(timeout=60)
            assert rollout.returncode == 130, err
            ended = browser.get(f"/runs/{name}").text
            assert "interrupted, rolled back" in ended
            assert "x-lab-token" not in ended
            assert "nothing to abort" in browser.post(f"/runs/{name}/abort", headers={"x-lab-token": token}).text


def _answers(browser: httpx.Client) -> bool:
    try:
        return browser.get("/").status_code == 200
    except httpx.TransportError:
        return False

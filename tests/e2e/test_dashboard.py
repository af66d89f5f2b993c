"""`labctl dashboard` shows a rollout while it runs, and only its own page may steer it."""

import json
import re

import httpx

from strategies.events import PhaseStarted
from tests.e2e.labctl import Labctl


def test_a_running_rollout_is_shown_and_aborted_from_its_page_alone(labctl: Labctl) -> None:
    quick = ("--rate", "50", "--baseline", "1s", "--hold", "120s", "--steps", "40,50")
    with labctl.started("dashboard") as dashboard, labctl.started("rollout", "canary", *quick) as rollout:
        assert dashboard.stdout is not None
        address = dashboard.stdout.readline().strip()
        labctl.wait_for_step("analyse", 120)
        name = next(labctl.runs.glob("*/plan.json")).parent.name
        with httpx.Client(base_url=address, trust_env=False, timeout=120) as browser:
            labctl.wait_for("page", lambda: _answers(browser), 20)
            assert f"/runs/{name}" in browser.get("/").text
            page = browser.get(f"/runs/{name}").text
            assert re.search("<h1>canary v1 → v2, under way in “analyse.*”, which began at .* UTC</h1>", page)
            assert "<svg" in page
            (token,) = re.findall(r'"x-lab-token": "([^"]+)"', page)
            with browser.stream("GET", f"/runs/{name}/changes") as notices:
                seen = (json.loads(line.removeprefix("data: ")) for line in notices.iter_lines() if line.startswith("data: "))
                assert any(sight.get("state") == "under way" and "candidate (green)" in sight["html"] for sight in seen)

            assert browser.get("/", headers={"host": "somewhere.example"}).status_code == 400
            for nowhere in (
                "/runs/no-such-run",
                "/runs/..%2f..%2fetc",
                "/comparison",
                "/beside",
                f"/beside?run={name}",
                "/beside?run=a&run=b",
            ):
                assert browser.get(nowhere).status_code == 404
            guard = browser.get("/").headers
            assert guard["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in guard["content-security-policy"]
            assert "access-control-allow-origin" not in guard
            assert browser.post(f"/runs/{name}/abort").status_code == 403
            for nonsense in ("x", "", token[:-1], token + "x", "ö", "x" * 5000):
                assert browser.post(f"/runs/{name}/abort", headers=[(b"x-lab-token", nonsense.encode())]).status_code == 403
            for elsewhere in (
                {"origin": "http://somewhere.example"},
                {"origin": "null"},
                {"origin": "https://127.0.0.1"},
                {"sec-fetch-site": "cross-site"},
                {"sec-fetch-site": "same-site"},
                {"host": "somewhere.example"},
            ):
                assert browser.post(f"/runs/{name}/abort", headers={"x-lab-token": token, **elsewhere}).status_code in {400, 403}
            assert browser.post(f"/runs/{name}/explode", headers={"x-lab-token": token}).status_code == 404
            assert rollout.poll() is None
            own = {"x-lab-token": token, "origin": address.rstrip("/"), "sec-fetch-site": "same-origin"}
            assert browser.post(f"/runs/{name}/pause", headers=own).text == "asked to pause"
            assert browser.post(f"/runs/{name}/promote", headers=own).text == "asked to promote"
            labctl.wait_for("next share", lambda: any(isinstance(event, PhaseStarted) and event.weight == 50 for event in labctl.events()))
            assert browser.post(f"/runs/{name}/abort", headers={"x-lab-token": token}).text == "it has ended"

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

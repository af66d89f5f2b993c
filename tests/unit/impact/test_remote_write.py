"""What is pushed arrives at a real Prometheus as it would have been scraped, and ends when the pusher does."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cramjam
import pytest
from prometheus_client import CollectorRegistry, Gauge

from impact import remote_write
from impact.remote_write import STALE, RemoteWriter, Sample, encode
from tests.ports import free_port
from tests.unit.local.prometheus_server import PrometheusServer
from tests.waiting import wait_for

OURS = {"job": "labctl"}
NAMES = "labctl_rollout_.+"

PUSHED_ONCE = f"""
import sys, threading
from prometheus_client import CollectorRegistry, Gauge
from impact.remote_write import RemoteWriter

registry = CollectorRegistry()
Gauge("labctl_rollout_phase", "", ["phase"], registry=registry).labels("half a \\"canary\\"").set(1)
Gauge("labctl_rollout_steps", "", registry=registry).set(4)
Gauge("somebody_elses", "", registry=registry).set(1)
with RemoteWriter(registry, sys.argv[1], {OURS}, "{NAMES}", every=3600):
    threading.Event().wait(600)
"""


def test_a_message_is_what_the_protocol_says() -> None:
    message = encode([Sample((("__name__", "a"), ("b", "c")), 1.0)], 300)

    assert message.hex(" ") == (
        "0a 25 0a 0d 0a 08 5f 5f 6e 61 6d 65 5f 5f 12 01 61 0a 06 0a 01 62 12 01 63 12 0c 09 00 00 00 00 00 00 f0 3f 10 ac 02"
    )


def test_a_series_that_ends_is_marked_with_the_nan_that_says_so() -> None:
    assert bytes.fromhex("09 02 00 00 00 00 00 f0 7f") in encode([Sample((("__name__", "a"),), None)], 1)


def test_prometheus_shows_what_is_pushed_and_only_while_it_is(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    phase = Gauge("labctl_rollout_phase", "", ["phase"], registry=registry)
    with PrometheusServer(tmp_path / "prometheus", "--web.enable-remote-write-receiver") as prometheus:

        def phases() -> list[tuple[str, str]]:
            found = prometheus.query('labctl_rollout_phase{job="labctl"}')
            return [(series["metric"]["phase"], series["value"][1]) for series in found]

        with RemoteWriter(registry, prometheus.url, OURS, NAMES, every=0.1):
            phase.labels("baseline").set(1)
            wait_for(lambda: phases() == [("baseline", "1")], "the phase arrived")
            phase.labels("größer 10 %").set(2)
            phase.remove("baseline")
            wait_for(lambda: phases() == [("größer 10 %", "2")], "the old phase ended and the new one arrived")

        wait_for(lambda: phases() == [], "nothing is shown after the end")
        assert prometheus.query("count_over_time(labctl_rollout_phase[1m])")


def test_what_one_that_was_killed_has_left_ends_with_the_first_push_of_the_next(tmp_path: Path) -> None:
    """Or two steps and two phases of one run would be shown for five minutes beside each other, once it is resumed."""
    registry = CollectorRegistry()
    Gauge("labctl_rollout_steps", "", registry=registry).set(5)
    with PrometheusServer(tmp_path / "prometheus", "--web.enable-remote-write-receiver") as prometheus:

        def shown() -> dict[str, str]:
            found = prometheus.query('{job="labctl"}')
            return {series["metric"]["__name__"]: series["value"][1] for series in found}

        with subprocess.Popen([sys.executable, "-c", PUSHED_ONCE, prometheus.url]) as first:
            try:
                wait_for(lambda: len(shown()) == 3, "the first one's are shown")
            finally:
                first.kill()
        with RemoteWriter(registry, prometheus.url, OURS, NAMES, every=3600):
            wait_for(lambda: shown() == {"labctl_rollout_steps": "5", "somebody_elses": "1"}, "what the first has left ended")
        assert shown() == {"somebody_elses": "1"}


def test_the_end_is_told_again_to_a_prometheus_too_busy_to_answer_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would tell it, and it would show for five minutes what is over."""
    monkeypatch.setattr(remote_write, "TIMEOUT", 0.5)
    ends: list[bytes] = []
    over = threading.Event()

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def do_POST(self) -> None:
            message = bytes(cramjam.snappy.decompress_raw(self.rfile.read(int(self.headers["content-length"]))))
            if STALE in message:
                ends.append(message)
                if len(ends) == 1:
                    over.wait(60)
            self.send_response(204)
            self.end_headers()

    registry = CollectorRegistry()
    Gauge("a", "", registry=registry)
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with RemoteWriter(registry, f"http://127.0.0.1:{server.server_port}", OURS, NAMES, every=3600):
                pass
        finally:
            over.set()
            server.shutdown()
            thread.join()

    assert len(ends) == 2


def test_a_prometheus_that_is_not_there_is_logged_and_hinders_nobody(caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    Gauge("a", "", registry=registry)
    with RemoteWriter(registry, f"http://127.0.0.1:{free_port()}", OURS, NAMES, every=0.01):
        wait_for(lambda: caplog.messages, "a push failed")

    assert "could not be pushed" in caplog.text

"""What Prometheus is told does what it should, as text and with a real Prometheus."""

import json
import signal
from pathlib import Path

import pytest

from platforms.local.prometheus_config import Target, command, config, labctl_file, ready_url, targets_file
from strategies.traffic import Slot
from tests.ports import free_port
from tests.unit.local.prometheus_server import PrometheusServer, Replica
from tests.waiting import wait_for


def test_a_scrape_ends_before_the_next_one_begins() -> None:
    text = config(Path("/lab/targets.json"), scrape_interval=1.0)

    assert "scrape_interval: 1000ms" in text
    assert "scrape_timeout: 800ms" in text


def test_the_path_of_the_targets_is_quoted() -> None:
    assert r'files: ["/a \"lab\": # here/targets.json"]' in config(Path('/a "lab": # here/targets.json'))


def test_labctl_proxy_and_rules_are_there_where_they_are_named() -> None:
    everything = config(Path("/lab/targets.json"), labctl=Path("/lab/labctl.json"), proxy="127.0.0.1:9901", rules=Path("/rules"))

    assert 'files: ["/lab/labctl.json"]' in everything
    assert '- targets: ["127.0.0.1:9901"]' in everything
    assert 'rule_files: ["/rules/*.yaml"]' in everything
    assert "job_name: labctl" not in config(Path("/lab/targets.json"))
    assert json.loads(labctl_file("127.0.0.1:1")) == [{"targets": ["127.0.0.1:1"]}]
    assert json.loads(labctl_file()) == []


@pytest.mark.parametrize("interval", [0.0, 0.001, -1.0])
def test_an_interval_that_prometheus_cannot_count_is_refused(interval: float) -> None:
    with pytest.raises(ValueError, match=r"at least 0\.002 seconds"):
        config(Path("/lab/targets.json"), interval)


def test_each_target_has_its_slot_and_version() -> None:
    text = targets_file([Target("127.0.0.1:1", Slot.BLUE, "v1"), Target("127.0.0.1:2", Slot.GREEN, "v2")])

    assert json.loads(text) == [
        {"targets": ["127.0.0.1:1"], "labels": {"slot": "blue", "version": "v1"}},
        {"targets": ["127.0.0.1:2"], "labels": {"slot": "green", "version": "v2"}},
    ]


def test_no_target_is_an_empty_list() -> None:
    assert targets_file([]) == "[]"


def test_only_this_machine_can_reach_it() -> None:
    asked = command(Path("/bin/prometheus"), Path("/lab/prometheus.yml"), Path("/lab/data"), 9090)

    assert asked[0] == "/bin/prometheus"
    assert "--web.listen-address=127.0.0.1:9090" in asked
    assert ready_url(9090) == "http://127.0.0.1:9090/-/ready"


def test_a_real_prometheus_scrapes_what_is_listed_under_clean_labels(tmp_path: Path) -> None:
    """`up` carries slot and version, also of a replica that is down, and the replica's own metrics keep theirs.

    A change of the list is taken over while it runs, and what it knew outlives a kill.
    """
    with Replica(Slot.BLUE, "v1") as blue, Replica(Slot.GREEN, "v2") as green, PrometheusServer(tmp_path / "a lab") as prometheus:
        blue.answer(3)
        dead = Target(f"127.0.0.1:{free_port()}", Slot.GREEN, "v2")
        prometheus.watch([blue.target, dead])
        wait_for(lambda: len(prometheus.query("up")) == 2, "both targets were scraped")

        labels = {"__name__": "up", "job": "model-api"}
        up = sorted(prometheus.query("up"), key=lambda series: series["metric"]["slot"])
        assert [series["metric"] for series in up] == [
            labels | {"instance": blue.target.address, "slot": "blue", "version": "v1"},
            labels | {"instance": dead.address, "slot": "green", "version": "v2"},
        ]
        assert [series["value"][1] for series in up] == ["1", "0"]
        (requests,) = prometheus.query("model_api_requests_total")
        assert requests["value"][1] == "3"
        assert requests["metric"] == {
            "__name__": "model_api_requests_total",
            "job": "model-api",
            "instance": blue.target.address,
            "slot": "blue",
            "version": "v1",
            "mirrored": "false",
            "handler": "/predict",
            "code": "200",
        }

        prometheus.watch([green.target])
        wait_for(lambda: [s["metric"]["instance"] for s in prometheus.query("up")] == [green.target.address], "green alone is scraped")

        prometheus.stop(signal.SIGKILL)
        prometheus.start()
        assert prometheus.query(f'max_over_time(up{{instance="{blue.target.address}"}}[1m])')

"""The second witness counts exactly what replicas counted, and never takes missing data for good news."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate, pairwise
from math import inf
from socket import create_server
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.prometheus import PROMQL, PrometheusWitness, increase
from strategies.errors import WitnessLost
from strategies.judgement import Count
from strategies.traffic import Slot
from tests.ports import free_port
from tests.unit.local.prometheus_server import SCRAPE_INTERVAL, PrometheusServer, Replica
from tests.waiting import wait_for

TIMES = st.integers(0, 100)
EVENTS = st.lists(TIMES, max_size=50).map(sorted)
SCRAPES = st.lists(TIMES, max_size=30, unique=True).map(sorted)


def scraped(events: list[int], scrapes: list[int]) -> list[tuple[float, float]]:
    """The samples of a counter of `events`; it has no series before the first of them."""
    counted = [(scrape, sum(event <= scrape for event in events)) for scrape in scrapes]
    return [(float(scrape), float(count)) for scrape, count in counted if count]


@given(EVENTS, SCRAPES, TIMES, TIMES)
def test_an_increase_is_the_number_of_events_between_two_scrapes(events: list[int], scrapes: list[int], one: int, other: int) -> None:
    """Whatever the scrapes' times: from the last one at or before `since` to the last at or before `until`; the tail after it is unseen."""
    since, until = sorted((one, other))
    inside = [scrape for scrape in scrapes if since < scrape <= until and scrape >= min(events, default=101)]

    counted = increase(scraped(events, scrapes), since, until)

    if not inside:
        assert counted is None
    else:
        before = max((scrape for scrape in scrapes if scrape <= since), default=-1)
        assert counted == sum(before < event <= inside[-1] for event in events)


@given(EVENTS, SCRAPES, st.lists(TIMES, min_size=2, max_size=10).map(sorted))
def test_adjoining_windows_add_up(events: list[int], scrapes: list[int], edges: list[int]) -> None:
    samples = scraped(events, scrapes)

    parts = [increase(samples, since, until) for since, until in pairwise(edges)]

    assert sum(part or 0 for part in parts) == (increase(samples, edges[0], edges[-1]) or 0)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=6))
def test_restarts_lose_nothing_that_was_scraped(lives: list[list[int]]) -> None:
    """A life's numbers are the events between its scrapes. All count, if each life is first seen below where the last one ended."""
    values: list[int] = []
    seen = 0
    for life in lives:
        counter = list(accumulate(life))
        if values and values[-1] and counter[0] >= values[-1]:
            counter = [value - counter[0] for value in counter]
        values += counter
        seen += counter[-1]

    assert increase(list(enumerate(map(float, values))), -1, len(values)) == seen


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=30))
def test_restarts_never_add_what_did_not_happen(steps: list[tuple[int, bool]]) -> None:
    """Each step is some events, then perhaps a restart before they were scraped: such events may stay unseen, none is invented."""
    value = 0
    samples = []
    for time, (events, restarted) in enumerate(steps):
        value = 0 if restarted else value + events
        samples.append((float(time), float(value)))

    assert (increase(samples, -1, len(steps)) or 0) <= sum(events for events, _ in steps)


@pytest.mark.parametrize(
    ("query", "promql"),
    [
        ("up", 'up{job="model-api"}'),
        ("recently_up", 'max_over_time(up{job="model-api"}[3000ms])'),
        ("age", 'time() - timestamp(up{job="model-api"})'),
        ("scrapes", 'up{job="model-api",slot="blue"}[1500ms]'),
        ("requests", 'model_api_requests_total{job="model-api",slot="blue",handler="/predict",mirrored="false"}[1500ms]'),
        (
            "durations",
            'model_api_request_duration_seconds_bucket{job="model-api",slot="blue",handler="/predict",mirrored="false"}[1500ms]',
        ),
        ("in_flight", 'sum(model_api_in_flight_requests{job="model-api",slot="blue"})'),
        ("dropped", 'sum by (slot) (model_api_prediction_log_dropped_total{job="model-api"})'),
        ("cpu", 'process_cpu_seconds_total{job="model-api"}[1500ms]'),
        ("mirrored", 'sum(model_api_requests_total{job="model-api",slot="blue",mirrored="true"})'),
    ],
)
def test_what_is_asked(query: str, promql: str) -> None:
    assert PROMQL[query].substitute(slot=Slot.BLUE, window=1500, recent=3000, mirrored="false") == promql


def test_every_query_is_tested_as_text() -> None:
    assert set(PROMQL) == {
        "up",
        "recently_up",
        "age",
        "scrapes",
        "requests",
        "durations",
        "in_flight",
        "mirrored",
        "dropped",
        "cpu",
    }


class Lab:
    """A Prometheus and one replica in each slot, scraped."""

    def __init__(self, prometheus: PrometheusServer, blue: Replica, green: Replica) -> None:
        self.prometheus, self.blue, self.green = prometheus, blue, green
        self.witness = PrometheusWitness(prometheus.url, SCRAPE_INTERVAL)
        self.ready = {blue.target.address: "blue", green.target.address: "green"}

    def sees(self, slot: Slot, since: datetime, count: Count | None) -> None:
        """Wait for this count from `since` to now: the next scrape brings it."""
        wait_for(lambda: self.witness.counts(slot, since, now()) == count, f"{slot} is {count}")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Replica(Slot.BLUE, "v1") as blue, Replica(Slot.GREEN, "v2") as green:
        prometheus = PrometheusServer(tmp_path_factory.mktemp("prometheus"))
        prometheus.watch([blue.target, green.target])
        with prometheus:
            wait_for(lambda: len(prometheus.query("up == 1")) == 2, "both replicas are scraped")
            lab = Lab(prometheus, blue, green)
            with lab.witness:
                yield lab


def test_users_requests_are_counted_exactly(lab: Lab) -> None:
    """Failed is anything but a 2xx; mirrored requests and other handlers are not users; a slot that nobody asked is unknown, not zero."""
    start = now()
    assert lab.witness.counts(Slot.BLUE, start - timedelta(seconds=1), start) is None

    lab.blue.answer(7)
    lab.blue.answer(1, code="201")
    lab.blue.answer(2, code="503")
    lab.blue.answer(3, code="422")
    lab.blue.answer(50, mirrored="true")
    lab.blue.answer(60, handler="/readyz")
    lab.sees(Slot.BLUE, start, Count(5, 13))
    assert lab.witness.counts(Slot.GREEN, start, now()) is None

    lab.green.answer(4)
    lab.sees(Slot.GREEN, start, Count(0, 4))

    later = now()
    lab.blue.answer(2, code="500")
    lab.sees(Slot.BLUE, later, Count(2, 2))
    end = now()
    assert lab.witness.counts(Slot.BLUE, start, end) == Count(7, 15)
    assert lab.witness.counts(Slot.BLUE, start, later) == Count(5, 13)
    lab.sees(Slot.BLUE, end, Count(0, 0))


def test_copies_are_counted_apart_by_status_and_by_how_long_they_took(lab: Lab) -> None:
    """And those that a replica has got and not answered are known as well."""
    start = now()
    lab.green.answer(6, mirrored="true", seconds=0.004)
    lab.green.answer(3, mirrored="true", code="422", seconds=0.02)
    lab.green.answer(1, mirrored="true", code="500", seconds=7.0)
    lab.green.answer(2, seconds=0.004)
    lab.green.hold(5)
    witness = lab.witness

    wait_for(lambda: witness.in_flight(Slot.GREEN) == 5, "5 are under way")
    lab.sees(Slot.GREEN, start, Count(0, 2))
    end = now()
    took = witness.durations(Slot.GREEN, start, end, mirrored=True)
    assert witness.answered(Slot.GREEN, start, end, mirrored=True) == {"200": 6, "422": 3, "500": 1}
    assert witness.counts(Slot.GREEN, start, end, mirrored=True) == Count(4, 10)
    assert (took[0.005], took[0.025], took[5.0], took[inf]) == (6, 9, 9, 10)
    # it may have got some in another test, and may not have been scraped since
    assert witness.counts(Slot.BLUE, start, end, mirrored=True) in {None, Count(0, 0)}
    assert not any(witness.durations(Slot.BLUE, start, end, mirrored=True).values())
    assert all(map(all, witness.scrapes(Slot.GREEN, start, end)))
    lab.green.hold(-5)


def test_replicas_that_answer_their_scrapes_pass(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxy the machine is set to."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")

    with PrometheusWitness(lab.prometheus.url, SCRAPE_INTERVAL) as witness:
        witness.check(lab.ready)


def test_an_unlisted_replica_is_missed_by_name(lab: Lab) -> None:
    with pytest.raises(WitnessLost, match=r"green at 127\.0\.0\.1:1 is not among its targets"):
        lab.witness.check(lab.ready | {"127.0.0.1:1": "green"})


def test_a_replica_of_another_slot_at_that_address_does_not_count(lab: Lab) -> None:
    with pytest.raises(WitnessLost, match=f"green at {lab.blue.target.address} is not among its targets"):
        lab.witness.check({lab.blue.target.address: "green"})


def test_a_stale_scrape_is_missed(lab: Lab) -> None:
    """Scrapes 200 ms apart are stale to a witness that expects them every millisecond."""
    with PrometheusWitness(lab.prometheus.url, 0.001) as impatient:

        def complaint() -> str:
            try:
                impatient.check(lab.ready)
            except WitnessLost as exc:
                return str(exc)
            return ""

        wait_for(lambda: "s ago, more than 0.005 s" in complaint(), "a scrape is older than 5 ms")


def test_a_replica_that_dies_and_comes_back(lab: Lab) -> None:
    """While it is down it is missed and its counts are unknown; once back, it counts from zero again and nothing is lost or doubled."""
    start = now()
    lab.green.answer(1)
    lab.sees(Slot.GREEN, start, Count(0, 1))

    lab.green.stop()
    wait_for(lambda: len(lab.prometheus.query("max_over_time(up[2s]) == 0")) == 1, "green is seen to be down for more than three scrapes")
    down = now()
    with pytest.raises(WitnessLost, match=f"green at {lab.green.target.address} did not answer its last 3 scrapes"):
        lab.witness.check(lab.ready)
    lab.witness.check({lab.blue.target.address: "blue"})
    lab.sees(Slot.GREEN, down, None)
    wait_for(lambda: now() - down > timedelta(seconds=2 * SCRAPE_INTERVAL), "it was scraped in vain")
    assert lab.witness.counts(Slot.GREEN, down, now()) is None

    lab.green = Replica(Slot.GREEN, "v2", port=lab.green.port)
    try:
        lab.green.answer(3)
        lab.green.answer(2, code="500")
        lab.sees(Slot.GREEN, down, Count(2, 5))
        assert lab.witness.counts(Slot.GREEN, start, now()) == Count(2, 6)
    finally:
        lab.green.stop()


def test_a_prometheus_that_is_gone_is_a_lost_witness() -> None:
    with PrometheusWitness(f"http://127.0.0.1:{free_port()}") as witness:
        with pytest.raises(WitnessLost, match="does not answer"):
            witness.check({})
        with pytest.raises(WitnessLost, match="does not answer"):
            witness.counts(Slot.BLUE, now(), now())


def test_a_prometheus_that_hangs_is_a_lost_witness() -> None:
    with create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with PrometheusWitness(url, timeout=0.2) as witness, pytest.raises(WitnessLost, match="does not answer"):
            witness.check({})


@pytest.fixture
def impostor() -> Iterator[Callable[[int, bytes], str]]:
    """Something else, at the address where Prometheus should be: its URL, for the status and body that it answers."""
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def serve(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
                """Keep quiet."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_another_server_is_not_believed(impostor: Callable[[int, bytes], str]) -> None:
    with PrometheusWitness(impostor(404, b"<html>not here</html>")) as witness, pytest.raises(WitnessLost, match="answers 404, but not as"):
        witness.check({})


def test_cpu_seconds_count_starts_but_not_what_was_used_before(impostor: Callable[[int, bytes], str]) -> None:
    """Of a replica that runs all the time what it used since, of one that appears in between all."""
    old = {"metric": {"instance": "old"}, "values": [[98, "5"], [100, "6"], [104, "8"], [110, "11"]]}
    new = {"metric": {"instance": "new"}, "values": [[106, "1.5"], [110, "2.5"]]}
    one = {"metric": {"instance": "new"}, "values": [[110, "2.5"]]}

    def matrix(*series: object) -> bytes:
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}}).encode()

    since, until = (datetime.fromtimestamp(at, UTC) for at in (100, 110))
    with PrometheusWitness(impostor(200, matrix(old, new))) as witness:
        assert witness.cpu_seconds(since, until) == 7.5
        assert witness.cpu_rate(since, until) == 0.75
    with PrometheusWitness(impostor(200, matrix(old, one))) as witness:
        assert witness.cpu_rate(since, until) is None
    with PrometheusWitness(impostor(200, matrix())) as witness:
        assert witness.cpu_seconds(since, until) is None


def test_an_error_is_given_in_prometheus_words(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROMQL, "up", Template("up{"))

    with pytest.raises(WitnessLost, match=r"refused the query up\{: .*parse error"):
        lab.witness.check({})

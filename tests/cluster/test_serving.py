"""The other ways of serving on a real cluster: a batch into PostgreSQL, and the pages that read it, told in order."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.errors import ServiceFailed
from app.pages.visiting import BUTTONS, visit
from platforms.ports import free_ports
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.test_strategies import QUICK
from tests.e2e import boards
from tests.waiting import wait_for

PROJECT = Path(__file__).parents[2]
MODEL_ROWS = 171
"""Of the holdout."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]


class Serving:
    """What these tests do on the cluster of `lab`."""

    def __init__(self, lab: ClusterLab, store: Path) -> None:
        self.lab, self.store = lab, store
        self.where = ("--kube-context", lab.context, "--namespace", "lab")

    def helm(self, release: str, *values: str, wait: bool = True) -> None:
        """Install or upgrade a release of a chart of that name, and wait until it is ready."""
        until = ("--wait", "--timeout", "5m") if wait else ()
        self.lab.tool("helm", "upgrade", release, str(PROJECT / "charts" / release), "--install", *until, *self.where, *values)

    def refused(self, version: str) -> str:
        """Why the pages do not start with that version as data, as the new pod's status tells it."""
        self.helm("pages", "--reuse-values", "--set", f"model.version={version}", wait=False)
        found = ""

        def told() -> bool:
            nonlocal found
            inits = [one for pod in self.lab.objects("pods") for one in pod["status"].get("initContainerStatuses", ())]
            states = [one[when] for one in inits if one["name"] == "fetch" for when in ("state", "lastState")]
            found = " ".join(state["terminated"].get("message", "") for state in states if "terminated" in state).strip()
            return found != ""

        wait_for(told, f"a word of the pod that was to serve {version}", 3 * MINUTES)
        return found

    def batch(self, version: str) -> str:
        """What a job of the CronJob says that predicts the observations with that version."""
        (image,) = {pod["spec"]["containers"][0]["image"] for pod in self.lab.objects("pods") if "lab/slot" in pod["metadata"]["labels"]}
        repository, _, tag = image.rpartition(":")
        values = {
            "image": {"repository": repository, "tag": tag},
            "model": {"version": version},
            "input": {"volume": {"emptyDir": None, "configMap": {"name": "observations"}}},
            "database": {"secretName": "lab-database", "key": "url"},
            "storeCredentials": {"secretName": "lab-store", "endpointUrl": "http://store:7070", "region": "us-east-1"},
            "chunk": 10,
        }
        self.helm("batch", *(f"--set-json={key}={json.dumps(value)}" for key, value in values.items()))
        self.lab.kubectl("delete", "job", "now", "--ignore-not-found")
        self.lab.kubectl("create", "job", "--from=cronjob/batch-batch-hourly", "now")
        self.lab.kubectl("wait", "--for=condition=complete", "job/now", "--timeout=180s")
        return self.lab.kubectl("logs", "job/now")

    def predictions(self) -> int:
        """How many are in the database."""
        return int(self.sql("SELECT count(*) FROM predictions"))

    def sql(self, command: str) -> str:
        """What the database answers."""
        # by TCP, as its socket is not in the same folder in every image
        psql = 'PGPASSWORD="$POSTGRES_PASSWORD" exec psql --host=127.0.0.1 --username=lab --tuples-only --no-align --command="$0" lab'
        return self.lab.kubectl("exec", "deployment/database", "--", "sh", "-c", psql, command)

    @contextmanager
    def away(self, service: str) -> Iterator[None]:
        """Nobody finds a part of the lab while the block lasts; whoever was connected has lost it."""
        selector = '[{{"op": "{}", "path": "/spec/selector/away"{}}}]'
        patch = ("patch", "service", service, "--type=json", "--patch")
        self.lab.kubectl(*patch, selector.format("add", ', "value": "yes"'))
        try:
            # its data are in the pod, where they outlive the container
            self.lab.kubectl("exec", f"deployment/{service}", "--", "sh", "-c", "kill -QUIT 1")
            yield
        finally:
            self.lab.kubectl(*patch, selector.format("remove", ""))

    def image(self, version: str) -> str:
        """The tag of an image of the pages with that model inside, built and loaded."""
        base = os.environ.get("LAB_BASE_IMAGE")
        given = ("--build-arg", f"BASE_IMAGE={base}") if base else ()
        context = ("--build-context", f"models={self.store}")
        self.lab.environment["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1"
        self.lab.tool(
            *("docker", "build", "--quiet", "--target", "embedded", "--build-arg", f"VERSION={version}", *given, *context),
            *("--tag", f"pages:{version}-test", "--file", str(PROJECT / "app" / "Dockerfile"), str(PROJECT)),
        )
        self.lab.tool("kind", "load", "docker-image", f"pages:{version}-test", "--name", self.lab.name)
        return f"{version}-test"

    @contextmanager
    def served(self) -> Iterator[str]:
        """The pages' address on this machine, once they answer."""
        (port,) = free_ports(1)
        command = ("kubectl", "--context", self.lab.context, "--namespace", "lab", "port-forward", "service/pages", f"{port}:8501")
        forward = subprocess.Popen(command, env=self.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + MINUTES
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/_stcore/health", trust_env=False, timeout=10).raise_for_status()
                    break
                except httpx.HTTPError:
                    assert forward.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            forward.terminate()
            forward.wait()

    def versions(self, *pages: str) -> dict[str, str]:
        """Which version answers on each page, or what it says instead."""
        with self.served() as url:
            found = {}
            for page in pages:
                try:
                    ((_, found[page]),) = visit(url, page, BUTTONS[page], 0)
                except ServiceFailed as failure:
                    found[page] = str(failure)
            return found

    def come_to(self, expected: dict[str, str]) -> None:
        """Wait until these versions answer: what was away takes a moment until it is found again."""
        wait_for(lambda: self.versions(*expected) == expected, f"answers {expected}", 3 * MINUTES)


@pytest.fixture(scope="module")
def serving(lab: ClusterLab, store: Path) -> Iterator[Serving]:
    """A lab that is up; the releases of these tests are gone afterwards."""
    one = Serving(lab, store)
    yield one
    for release in ("pages", "batch"):
        lab.tool("helm", "uninstall", release, "--ignore-not-found", "--wait", *one.where)
    lab.kubectl("delete", "configmap", "observations", "--ignore-not-found")
    lab.kubectl("delete", "job", "now", "--ignore-not-found")
    one.sql("DROP TABLE IF EXISTS predictions, batch_runs, alembic_version")


def test_a_job_of_the_cronjob_predicts_every_row_into_postgresql(serving: Serving) -> None:
    serving.lab.kubectl("create", "configmap", "observations", f"--from-file=observations.csv={serving.store / 'holdout.csv'}")

    assert f"{MODEL_ROWS} rows" in serving.batch("v1")

    assert serving.predictions() == MODEL_ROWS


def test_the_gateway_and_the_dashboards_show_what_the_job_wrote(serving: Serving) -> None:
    """By a user of the database who may only read."""
    answer = httpx.get(f"{serving.lab.gateway}/predictions", params={"limit": 1000}, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == MODEL_ROWS
    assert {one["version"] for one in answer.json()["predictions"]} == {"v1"}

    rows = boards.query("serving", "Rows in the database", "model_batch_rows_total")
    wait_for(lambda: boards.number(serving.lab.prometheus, rows.expr) == MODEL_ROWS, "the job's rows are on the dashboard", MINUTES)
    boards.wait_for_series(serving.lab.prometheus, MINUTES, rollout=False, batches=True)


def test_every_page_answers_on_the_cluster_each_from_where_its_model_is(serving: Serving) -> None:
    """From the image, from the S3 store, from the service behind the gateway, and from PostgreSQL."""
    serving.helm("pages", "--set", f"image.tag={serving.image('v1')}")

    assert serving.versions(*BUTTONS) == dict.fromkeys(BUTTONS, "v1")


def test_a_database_that_is_killed_is_a_sentence_on_its_page_and_has_lost_nothing_once_it_is_back(serving: Serving) -> None:
    with serving.away("database"):
        found = serving.versions("database", "service")
        assert "lab:***@database:5432/lab failed (" in found["database"]
        assert "check that it is up, and that `labctl predict batch` has filled it." in found["database"]
        assert found["service"] == "v1"

    serving.come_to({"database": "v1"})
    assert serving.predictions() == MODEL_ROWS


@pytest.mark.everything
def test_the_model_is_switched_in_each_of_the_four_ways_and_its_page_shows_the_new_version(serving: Serving) -> None:
    """A batch, a rollout of the service, a value that restarts the pages, and a new image: each switches its own page alone."""
    assert f"{MODEL_ROWS} rows" in serving.batch("v2")
    assert serving.predictions() == 2 * MODEL_ROWS
    assert serving.versions(*BUTTONS) == {"embedded": "v1", "data": "v1", "service": "v1", "database": "v2"}

    summary = json.loads(serving.lab.labctl("rollout", "recreate", *QUICK, "--to", "v2", "--hold", "8s", "--json").stdout)
    assert summary["outcome"] == "promoted"
    assert serving.versions(*BUTTONS) == {"embedded": "v1", "data": "v1", "service": "v2", "database": "v2"}

    serving.helm("pages", "--reuse-values", "--set", "model.version=v2")
    assert serving.versions(*BUTTONS) == {"embedded": "v1", "data": "v2", "service": "v2", "database": "v2"}

    serving.helm("pages", "--reuse-values", "--set", f"image.tag={serving.image('v2')}")
    assert serving.versions(*BUTTONS) == dict.fromkeys(BUTTONS, "v2")


def test_a_version_that_the_store_lacks_replaces_nothing_and_the_new_pod_says_why(serving: Serving) -> None:
    before = serving.versions(*BUTTONS)
    assert before["data"] in {"v1", "v2"}

    assert "the store s3://models has no version v9" in serving.refused("v9")

    assert serving.versions(*BUTTONS) == before


def test_a_store_that_is_killed_is_missed_by_a_start_alone_which_replaces_nothing_until_it_is_back(serving: Serving) -> None:
    serving.helm("pages", "--reuse-values", "--set", "model.version=v1")
    before = serving.versions(*BUTTONS)
    assert before["data"] == "v1"

    with serving.away("store"):
        assert serving.versions(*BUTTONS) == before
        assert "the store s3://models cannot be used" in serving.refused("v2")
        assert serving.versions(*BUTTONS) == before

    # the pod tries again by itself, and takes the place of the one before once it has its model
    serving.come_to({"data": "v2"})

"""The chart of a slot: what it promises of its pods, and what it refuses."""

from typing import Any

import pytest

from tests.unit.charts.chart import containers, is_restricted, lint, only, pods, rendered, template

pytestmark = pytest.mark.cluster

DIGEST = "0123456789abcdef" * 4
VALUES: dict[str, Any] = {"slot": "green", "version": "v2", "digest": DIGEST, "replicas": 3, "image": {"tag": "abc"}}


def render(**values: Any) -> list[dict[str, Any]]:
    return rendered("model-api", "model-api-green", {**VALUES, **values})


def test_it_is_clean() -> None:
    done = lint("model-api")

    assert done.returncode == 0, done.stdout


def test_every_pod_passes_pod_security_restricted_on_a_root_that_nobody_writes() -> None:
    found = pods(render())

    assert len(found) == 2
    assert all(map(is_restricted, found))
    assert all(one["securityContext"]["readOnlyRootFilesystem"] for pod in found for one in containers(pod))
    assert all(pod["automountServiceAccountToken"] is False for pod in found)


def test_a_selector_never_names_a_version_or_a_role() -> None:
    """It cannot be changed, so a new version in the slot would be refused."""
    objects = render()
    wanted = {"app.kubernetes.io/name": "model-api", "app.kubernetes.io/instance": "model-api-green"}

    assert only(objects, "Deployment")["spec"]["selector"]["matchLabels"] == wanted
    assert only(objects, "Service")["spec"]["selector"] == wanted
    assert only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == wanted


def test_pods_say_their_slot_and_version() -> None:
    labels = only(render(), "Deployment")["spec"]["template"]["metadata"]["labels"]

    assert labels.items() >= {"lab/slot": "green", "lab/version": "v2"}.items()


def test_the_model_is_fetched_by_its_digest_before_the_server_starts_and_the_server_has_no_credentials() -> None:
    (pod,) = [one for one in pods(render()) if "initContainers" in one]
    (fetch,), (server,) = pod["initContainers"], pod["containers"]

    assert fetch["args"] == ["--store=s3://models", "--version=v2", "--to=/models", f"--sha256={DIGEST}"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"} <= {one["name"] for one in fetch["env"]}
    assert not [one["name"] for one in server["env"] if one["name"].startswith("AWS_")]
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in server["volumeMounts"]


def test_a_pod_is_given_the_time_that_its_drain_and_its_longest_request_take() -> None:
    (server,) = only(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one.get("value") for one in server["env"]}

    spent = server["lifecycle"]["preStop"]["sleep"]["seconds"] + float(environment["MODEL_API_DRAIN_SECONDS"]) + 30
    assert spent < only(render(), "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    done = template("model-api", "model-api-green", {**VALUES, "terminationGracePeriodSeconds": 20})
    assert "raise it" in done.stderr


def test_all_three_probes_ask_what_they_are_for() -> None:
    (server,) = only(render(), "Deployment")["spec"]["template"]["spec"]["containers"]

    asked = {name: server[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert asked == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}


def test_the_way_of_replacing_is_a_value() -> None:
    rolling = render(strategy={"type": "RollingUpdate", "maxSurge": "50%", "maxUnavailable": 1})

    assert only(render(strategy={"type": "Recreate"}), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert only(rolling, "Deployment")["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 1},
    }


@pytest.mark.parametrize("repository", ["registry.example:5000/team/model-api", "localhost:5000/model-api", "ghcr.io/team/model__api"])
def test_an_image_may_come_from_a_registry_with_a_port(repository: str) -> None:
    (server,) = only(render(image={"repository": repository, "tag": "abc"}), "Deployment")["spec"]["template"]["spec"]["containers"]

    assert server["image"] == f"{repository}:abc"


def test_a_replica_may_ask_for_what_only_some_nodes_have() -> None:
    amounts = {"cpu": 1.5, "memory": "1Gi", "ephemeral-storage": "1Gi", "nvidia.com/gpu": 1}
    (server,) = only(render(resources={"limits": amounts}), "Deployment")["spec"]["template"]["spec"]["containers"]

    assert server["resources"]["limits"] == amounts


def test_the_server_gets_the_environment_that_is_asked_for() -> None:
    (server,) = only(render(extraEnv=[{"name": "MODEL_API_ERROR_RATIO", "value": "0.5"}]), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]

    assert {"name": "MODEL_API_ERROR_RATIO", "value": "0.5"} in server["env"]


def test_the_prediction_log_is_named_by_a_secret_and_reached_only_where_there_is_one() -> None:
    objects = render(predictionLog={"secret": "lab-database"})
    (server,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]

    where = {"secretKeyRef": {"name": "lab-database", "key": "url"}}
    assert {"name": "MODEL_API_PREDICTION_LOG", "valueFrom": where} in server["env"]
    ports = [port["port"] for rule in only(objects, "NetworkPolicy", "model-api-green")["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 7070, 5432]
    (server,) = only(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "MODEL_API_PREDICTION_LOG" not in {one["name"] for one in server["env"]}


def test_the_predictions_that_are_shown_are_named_by_a_secret_and_reached_only_where_there_is_one() -> None:
    objects = render(predictions={"secret": "lab-database", "key": "readerUrl"})
    (server,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]

    where = {"secretKeyRef": {"name": "lab-database", "key": "readerUrl"}}
    assert {"name": "MODEL_API_DATABASE", "valueFrom": where} in server["env"]
    ports = [port["port"] for rule in only(objects, "NetworkPolicy", "model-api-green")["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 7070, 5432]
    (server,) = only(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "MODEL_API_DATABASE" not in {one["name"] for one in server["env"]}


def test_the_test_reaches_the_slot_and_names_and_nobody_reaches_it() -> None:
    objects = render()
    policy = only(objects, "NetworkPolicy", "model-api-green-test")["spec"]

    assert policy["podSelector"]["matchLabels"].items() <= only(objects, "Pod")["metadata"]["labels"].items()
    assert policy["ingress"] == []
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53, 8000]


def test_only_the_gateway_prometheus_and_the_test_come_in_and_only_the_store_is_reached() -> None:
    policy = only(render(), "NetworkPolicy", "model-api-green")["spec"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [len(rule["from"]) for rule in policy["ingress"]] == [3]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [53, 53, 7070]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"slot": "red"}, "'blue', 'green'"),
        ({"version": "../v2"}, "/version"),
        ({"digest": "abc"}, "/digest"),
        ({"replicas": -1}, "/replicas"),
        ({"replica": 1}, "'replica' not allowed"),
        ({"image": {"tag": "latest"}}, "name a version"),
        ({"strategy": {"type": "Canary"}}, "'RollingUpdate', 'Recreate'"),
        ({"store": {"url": "models"}}, "/store/url"),
        ({"predictionLog": {"secret": "postgresql://"}}, "/predictionLog/secret"),
        ({"predictions": {"secret": "postgresql://"}}, "/predictions/secret"),
        ({"extraEnv": [{"value": "1"}]}, "'name'"),
        ({"slot": "blue"}, "change the release's name"),
        ({"image": {"repository": "a:1:2"}}, "/image/repository"),
        ({"image": {"repository": "model-api:v1"}}, "/image/repository"),
        ({"imagePullSecrets": ["Not A Name"]}, "/imagePullSecrets/0"),
        ({"store": {"secret": "Not A Name"}}, "/store/secret"),
        ({"networkPolicy": {"gatewayNamespace": "Not A Name"}}, "/networkPolicy/gatewayNamespace"),
        ({"resources": {"limits": {"memory": "lots"}}}, "/resources/limits/memory"),
        ({"resources": {"requests": {"cpu": "one"}}}, "/resources/requests/cpu"),
        ({"resources": {"request": {"cpu": "1"}}}, "'request' not allowed"),
        ({"resources": {"limits": {"cpus": "1"}}}, "'cpus' not allowed"),
        ({"strategy": {"type": "RollingUpdate", "maxSurge": 0, "maxUnavailable": "0%"}}, "raise one of them"),
    ],
    ids=str,
)
def test_nonsense_is_refused_in_words(wrong: dict[str, Any], told: str) -> None:
    done = template("model-api", "model-api-green", {**VALUES, **wrong})

    assert done.returncode != 0
    assert told in done.stderr

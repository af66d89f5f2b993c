"""What a pod's status says becomes a sentence, and only what no waiting changes ends the waiting."""

from typing import Any

import pytest

from platforms.kubernetes import gateway, pods
from strategies.traffic import Slot

Json = dict[str, Any]


def pod(*containers: Json, leaving: bool = False, **conditions: Json) -> Json:
    return {
        "metadata": {"name": "x", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})},
        "status": {
            "podIP": "10.0.0.1",
            "conditions": [{"type": kind, **condition} for kind, condition in conditions.items()],
            "containerStatuses": list(containers),
        },
    }


def waiting(reason: str, message: str = "") -> Json:
    return {"name": "model-api", "state": {"waiting": {"reason": reason, "message": message}}}


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff", "ErrImageNeverPull", "CreateContainerConfigError"])
def test_what_no_waiting_changes_is_hopeless(reason: str) -> None:
    assert pods.hopeless(pod(waiting(reason, "why"))) == f"{reason}: why"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull"])
def test_what_may_pass_is_waited_for(reason: str) -> None:
    assert pods.hopeless(pod(waiting(reason))) == ""


def test_a_pod_on_its_way_out_says_nothing_of_its_release() -> None:
    ending = pod(waiting("CrashLoopBackOff"), leaving=True, Ready={"status": "True"})

    assert pods.hopeless(ending) == ""
    assert not pods.ready(ending)


def test_an_init_container_counts_too() -> None:
    found = pod()
    found["status"]["initContainerStatuses"] = [{"name": "fetch", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "no"}}}]

    assert pods.hopeless(found) == "CrashLoopBackOff: no"
    assert pods.crashed_container(found) == "fetch"


def test_no_room_comes_before_any_other_obstacle() -> None:
    found = pod(PodScheduled={"status": "False", "reason": "Unschedulable", "message": "0/1 nodes: Insufficient cpu"})

    assert pods.obstacle(found, []) == "Unschedulable: 0/1 nodes: Insufficient cpu"


def test_the_newest_warning_is_told() -> None:
    warnings = [
        {"metadata": {}, "lastTimestamp": f"2026-01-0{day}T00:00:00Z", "reason": "Unhealthy", "message": f"probe failed {day}"}
        for day in (2, 1)
    ]

    assert pods.obstacle(pod(), warnings) == "Unhealthy: probe failed 2"
    assert pods.obstacle(pod(), []) == "it says nothing of why"


def test_between_two_tries_to_pull_an_image_it_is_told_why_the_last_one_failed() -> None:
    warning = {"metadata": {}, "lastTimestamp": "2026-01-01T00:00:00Z", "reason": "Failed", "message": "Error: ImagePullBackOff"}

    assert pods.obstacle(pod(waiting("ErrImagePull", "x:1 is not there")), [warning]) == "ErrImagePull: x:1 is not there"


def test_the_last_words_of_a_container_are_in_the_status_once_its_log_has_gone() -> None:
    ended = {"terminated": {"exitCode": 3, "message": "one\nthe store is down\n"}}
    found = pod({"name": "model-api", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended})

    assert pods.last_message(found, "model-api") == "one\nthe store is down"
    assert pods.last_message(found, "fetch") == ""
    assert pods.last_message(pod(waiting("PodInitializing")), "model-api") == ""


def test_what_others_wait_for_is_told_instead_of_that_they_wait() -> None:
    found = pod()
    found["status"] |= {
        "initContainerStatuses": [{"name": "fetch", "ready": False, "state": {"running": {}}}],
        "containerStatuses": [{"name": "model-api", "ready": False, "state": {"waiting": {"reason": "PodInitializing"}}}],
    }

    assert pods.obstacle(found, []) == "fetch has not ended"
    assert pods.failing_container(found) == "fetch"


def test_a_deployment_that_may_make_no_pod_says_so() -> None:
    failed = {"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: full"}]}}

    assert pods.refused(failed) == "exceeded quota: full"
    assert pods.refused({"status": {}}) == ""


def test_the_container_whose_log_tells_why_is_found() -> None:
    ended = {"name": "fetch", "state": {}, "lastState": {"terminated": {"exitCode": 3}}}
    unready = {"name": "model-api", "ready": False, "state": {"running": {}}}

    assert pods.failing_container(pod(unready, ended)) == "fetch"
    assert pods.failing_container(pod(unready)) == "model-api"
    assert pods.failing_container(pod()) == ""


def test_the_gateways_own_list_tells_who_is_healthy_and_what_is_in_flight() -> None:
    def host(address: str, health: Json, active: int) -> Json:
        return {
            "address": {"socket_address": {"address": address, "port_value": 8000}},
            "health_status": health,
            "stats": [{"name": "rq_active", "value": str(active)}, {"name": "cx_active", "value": "9"}],
        }

    clusters = {
        "cluster_statuses": [
            {"name": "outbound|8000||elsewhere.lab.svc.cluster.local", "host_statuses": [host("10.0.0.9", {}, 1)]},
            {"name": "outbound|8000||model-api-blue.lab.svc.cluster.local"},
            {
                "name": "outbound|8000||model-api-green.lab.svc.cluster.local",
                "host_statuses": [
                    host("10.0.0.1", {"eds_health_status": "HEALTHY"}, 3),
                    host("10.0.0.2", {"eds_health_status": "UNHEALTHY"}, 0),
                    host("10.0.0.3", {"eds_health_status": "HEALTHY", "failed_active_health_check": True}, 0),
                ],
            },
        ]
    }

    found = gateway.hosts(clusters, "lab")

    assert {(each.slot, each.address, each.healthy, each.in_flight) for each in found} == {
        (Slot.GREEN, "10.0.0.1:8000", True, 3),
        (Slot.GREEN, "10.0.0.2:8000", False, 0),
        (Slot.GREEN, "10.0.0.3:8000", False, 0),
    }
    assert gateway.route_names({"configs": [{"route_config": {"virtual_hosts": [{"routes": [{"name": "a"}, {}]}]}}]}) == {"a", ""}


EVICTED: Json = {
    "metadata": {"name": "model-api-green-7c9-x", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"lab/version": "v2"}},
    "status": {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 71Mi. ",
        "startTime": "2026-01-01T00:00:00Z",
        "conditions": [
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "TerminationByKubelet",
                "message": "The node was low on resource: memory.",
            },
            {"type": "PodReadyToStartContainers", "status": "False"},
            {"type": "Ready", "status": "False", "reason": "PodFailed"},
            {"type": "PodScheduled", "status": "True"},
        ],
        "containerStatuses": [
            {"name": "model-api", "ready": False, "started": False, "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}
        ],
    },
}
"""As the API server keeps a pod that the kubelet has evicted, until somebody deletes it."""
REFUSED: Json = {
    "metadata": {"name": "model-api-green-7c9-y", "creationTimestamp": "2026-01-01T00:00:09Z", "labels": {"lab/version": "v2"}},
    "status": {
        "phase": "Failed",
        "reason": "OutOfcpu",
        "message": "Pod was rejected: Node didn't have enough resource: cpu, requested: 500, used: 1900, capacity: 2000",
        "startTime": "2026-01-01T00:00:09Z",
    },
}
"""One that the kubelet has never started."""


def test_a_pod_that_has_ended_is_told_from_one_that_may_get_ready() -> None:
    succeeded: Json = {"metadata": {"name": "x"}, "status": {"phase": "Succeeded"}}

    assert all(map(pods.finished, (EVICTED, REFUSED, succeeded)))
    assert not pods.finished(pod())
    # its containers have ended, and it is to be waited for until it is gone
    assert not pods.finished({**EVICTED, "metadata": {**EVICTED["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert pods.hopeless(EVICTED) == ""


def test_why_a_pod_has_ended_is_told_in_the_kubelets_words() -> None:
    assert pods.obstacle(EVICTED, []) == "Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 71Mi."
    assert pods.obstacle({"metadata": {}, "status": {"phase": "Failed"}}, []) == "phase Failed"
    assert pods.lost([REFUSED, pod(), EVICTED]).startswith("; 2 of its pods have ended before, the last with OutOfcpu: Pod was rejected")
    assert pods.lost([pod()]) == ""

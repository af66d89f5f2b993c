"""Somebody without labctl does by hand what docs/without-labctl.md says, and labctl goes on afterwards."""

import json
from collections import Counter
from pathlib import Path

import httpx
import pytest

from impact.binomial import plausible
from strategies.userlog import SLOT_HEADER
from tests.cluster.lab import MINUTES, ClusterLab
from tests.cluster.rollouts import QUICK, require_one_version, status
from tests.documentation.blocks import DOCS, blocks
from tests.waiting import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]

PAGE = DOCS / "without-labctl.md"
SHARE = 0.1
REQUESTS = 600


def commands() -> list[str]:
    """The page's blocks of shell commands."""
    return [block.text for block in blocks(PAGE)]


def served(lab: ClusterLab, requests: int) -> Counter[str]:
    """How many of so many requests each slot answers."""
    with httpx.Client(base_url=lab.gateway, trust_env=False, timeout=30.0) as client:
        return Counter(client.get("/version").headers[SLOT_HEADER] for _ in range(requests))


def test_helm_and_kubectl_alone_split_as_the_manifest_says_and_labctl_goes_on(up: ClusterLab, tmp_path: Path) -> None:
    up.serve(replicas=2)
    assert len(commands()) == 2
    for block in commands():
        up.tool(
            "bash", "-euc", f'project="$PWD"; cd "{tmp_path}"; ln -s "$project/charts" "$project/manifests" . 2>/dev/null || true\n{block}'
        )

    wait_for(lambda: served(up, 20)["green"] > 0, "nobody gets v2")
    shares = served(up, REQUESTS)
    assert plausible(shares["green"], REQUESTS, SHARE), shares
    assert {name: (slot["version"], slot["percent"]) for name, slot in status(up)["slots"].items()} == {
        "blue": ("v1", 90),
        "green": ("v2", 10),
    }

    refused = up.labctl("rollout", "canary", *QUICK, "--to", "v2", code=3)
    assert "kubectl-client-side-apply wrote the routes last" in refused.stderr
    assert status(up)["slots"]["green"]["percent"] == 10

    done = up.labctl("rollout", "canary", *QUICK, "--to", "v2", "--on-drift", "reclaim", "--json")
    assert "the routes that kubectl-client-side-apply had changed were taken back" in done.stderr
    summary = json.loads(done.stdout)
    assert summary["outcome"] == "promoted"
    assert next(phase for phase in summary["phases"] if phase["name"] == "baseline")["roles"]["candidate"]["requests"] == 0
    require_one_version(up, "v2")

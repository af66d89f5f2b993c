"""What the pages say of a cluster can be typed as it stands there."""

from pathlib import Path

import pytest

from tests.cluster.conftest import MINUTES, ClusterLab
from tests.documentation.blocks import CLUSTER, DOCS, blocks
from tests.documentation.following import Reader

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(20 * MINUTES)]
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if any(block.title == CLUSTER for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_needs_a_cluster_can_be_typed_as_it_stands(page: Path, lab: ClusterLab, tmp_path: Path) -> None:
    reading = Reader(tmp_path)
    # the cluster, its ports and its store are those of the tests
    reading.environment |= {name: value for name, value in lab.environment.items() if name.startswith(("LAB_", "KUBECONFIG"))}

    assert reading.follow(blocks(page), (CLUSTER,))

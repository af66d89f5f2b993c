"""The reference of metrics, from the registries that Prometheus scrapes, and of the rules that are made of them."""

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, Metric

from app.card import Feature, ModelCard
from app.metrics import Metrics
from app.predictions.database import open_database
from app.predictions.migrating import migrate
from app.predictions.scraping import database_up
from app.predictions.shown import Shown
from app.predictions.writing import Run as BatchRun
from handbook.markdown import code, page, table
from impact.exposition import Exposition
from strategies.canary import CanaryOptions, canary
from strategies.events import Looked, ObjectiveSet, PhaseStarted, StepStarted
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict
from strategies.run import JudgeOptions, LoadOptions, Run
from strategies.traffic import Slot

RULES = Path(__file__).parents[1] / "charts" / "lab" / "rules"
HEADINGS = ("metric", "type", "labels", "what it says")
UNLISTED = ("process_",)
"""What every process has that Prometheus' client measures."""


def reference() -> str:
    """The page."""
    return page(
        "Metrics",
        "`app/metrics.py`, `app/predictions`, `impact/exposition.py` and `charts/lab/rules`",
        "## Of a replica of the model API",
        "At `/metrics` of every replica. `version` and `slot` say which it is; `mirrored` tells copies of a shadow from requests that "
        "somebody waits for. Beside these there are the usual `process_` metrics.",
        table(HEADINGS, families(_replica().collect())),
        "## Of batches, in the database that replicas show",
        "Every replica with a database of predictions tells of it at `/metrics`, and all of them the same. `version` is the one that the "
        "batch predicted with. If the database cannot be asked only `model_batch_database_up` is there.",
        table(HEADINGS, families(_batches())),
        "## Of a rollout, while it runs",
        "`labctl` says what it intends and what its users meet. On this machine Prometheus scrapes it; on a cluster it is written "
        "to Prometheus. When the rollout is over they are gone. All have the label `run`.",
        table(HEADINGS, families(_rollout().collect())),
        "## Recording rules",
        table(("rule", "expression"), ((code(rule["record"]), code(" ".join(rule["expr"].split()))) for rule in _rules("record"))),
        "## Alerts",
        table(
            ("alert", "after", "what it says", "what to do"),
            (
                (rule["alert"], rule.get("for", "at once"), _told(rule["annotations"]["summary"]), rule["annotations"]["action"])
                for rule in _rules("alert")
            ),
        ),
    )


def families(metrics: Iterable[Metric]) -> Iterator[tuple[str, str, str, str]]:
    """Name as it is queried, type, labels and help of every metric that somebody may look for."""
    for family in metrics:
        if family.name.startswith(UNLISTED):
            continue
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label not in {"le", "run"})
        name = family.name + {"counter": "_total"}.get(family.type, "")
        yield code(name), family.type, ", ".join(map(code, labels)), family.documentation


CARD = ModelCard(
    name="model",
    version="v1",
    idea="",
    seed=0,
    features=(Feature(name="feature", minimum=0, maximum=1),),
    classes=("benign", "malignant"),
    libraries={"scikit-learn": "1"},
    metrics={},
    sha256="0" * 64,
    example={"feature": 0.0},
)


def _replica() -> CollectorRegistry:
    """A replica's registry that has met one request, so that every metric has its labels."""
    return Metrics(CARD, "blue").registry


def _batches() -> Iterator[Metric]:
    """What is told of a database with one batch, of no rows."""
    yield database_up(1)
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/predictions.db"
        engine = open_database(url, writes=True)
        migrate(engine)
        run = BatchRun(engine, CARD, "", "")
        run.begin()
        run.end(0)
        engine.dispose()
        yield from Shown(url).batches()


def _rollout() -> CollectorRegistry:
    """The registry of a canary in its analysis."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    run = Run(
        id="run",
        started=at,
        command=(),
        platform="local",
        from_version="v1",
        to_version="v2",
        stable=Slot.BLUE,
        candidate=Slot.GREEN,
        plan=canary(CanaryOptions(to_version="v2", stable=Slot.BLUE)),
        load=LoadOptions(),
        judge=JudgeOptions(),
        timeout=60.0,
    )
    failed = MetricJudgement(
        metric="failed",
        candidate=Count(0, 1),
        stable=Count(0, 1),
        margin=0.02,
        verdict=Verdict.INCONCLUSIVE,
        evidence=0.0,
        limit=math.log(20),
        needed=1,
        explanation="",
    )
    events = (
        StepStarted(at=at, index=0, title="baseline"),
        ObjectiveSet(at=at, seconds=1.0, source=""),
        PhaseStarted(at=at, name="analysis", weight=10),
        Looked(at=at, judgement=Judgement(verdict=Verdict.INCONCLUSIVE, reason="", metrics=(failed,))),
    )
    return Exposition(run, Path("nowhere"), events).registry()


def _told(template: str) -> str:
    """What an alert says, with the names of the labels in the places that Prometheus fills."""
    return re.sub(r"\{\{ \$value[^}]*\}\}", "*N*", re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", template))


def _rules(kind: str) -> Iterable[dict[str, Any]]:
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if kind in rule)

"""Train versions into a model store: `python -m app.training --store DIR [--seed N] [VERSION ...]`.

Training is reproducible: the same seed and libraries give the same bytes, hence the same sha256, so training
again leaves a version that exists as it is. This holds for the process started so, and not for `train` called from
one that has loaded models before: a pickle's bytes also tell which equal strings were one object.

Exit codes: 0; 2 unknown version, or another seed than the store's; 3 the store cannot be written.
"""

import argparse
import hashlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import joblib

from app.card import Feature, ModelCard, libraries_here
from app.dataset import Cases, split
from app.errors import AppError, UnknownVersion
from app.evaluation import cross_validate, right_and_failed
from app.publishing import publish, publish_holdout
from app.recipes import RECIPES, Recipe
from app.store import read_card, versions

NAME = "breast-cancer"
DEFAULT_SEED = 0
SANE_MULTIPLE = 5
"""A value above this many times the largest one in the training cases is a mistake (a wrong unit, a lost point)."""


def train(version: str, training: Cases, holdout: Cases, seed: int) -> tuple[ModelCard, bytes]:
    """One version: its card and the bytes of its model."""
    recipe = RECIPES[version]
    values = training.columns(recipe.features)
    model = recipe.fit(values, training.truth, seed)
    file = io.BytesIO()
    joblib.dump(model, file)
    folds = cross_validate(recipe, training, seed)
    right, failed = right_and_failed(model, holdout.columns(recipe.features), holdout.truth)
    card = ModelCard(
        name=NAME,
        version=version,
        idea=recipe.idea,
        seed=seed,
        features=_features(recipe, training),
        classes=tuple(model.classes_.tolist()),
        libraries=libraries_here(),
        metrics={
            "holdout_accuracy": right,
            "holdout_failed": failed,
            "cross_validated_accuracy": float(folds.mean()),
            "cross_validated_accuracy_sd": float(folds.std(ddof=1)),
        },
        sha256=hashlib.sha256(file.getvalue()).hexdigest(),
        example=dict(zip(recipe.features, values[0].tolist(), strict=True)),
    )
    return card, file.getvalue()


def _features(recipe: Recipe, training: Cases) -> tuple[Feature, ...]:
    largest = training.columns(recipe.features).max(axis=0)
    # every measure is a size, a spread or a ratio: none can be below 0
    return tuple(
        Feature(name=name, minimum=0.0, maximum=float(f"{SANE_MULTIPLE * top:.3g}"))
        for name, top in zip(recipe.features, largest, strict=True)
    )


def check_names(store: Path, names: Sequence[str], seed: int) -> None:
    """Refuse what cannot be trained, before anything is.

    Raises:
        UnknownVersion: no such recipe, or the store holds versions of another seed, whose training
            cases would be among the users' cases of this one.
    """
    if unknown := [name for name in names if name not in RECIPES]:
        raise UnknownVersion(f"there is no version {', '.join(unknown)}: choose from {', '.join(RECIPES)}")
    for version in versions(store):
        if version not in names and (other := read_card(store, version).seed) != seed:
            raise UnknownVersion(f"the store {store} holds {version} of seed {other}: train it too, use --seed {other}, or another --store")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is asked for and print one line per version."""
    parser = argparse.ArgumentParser(prog="python -m app.training", description="Train versions of the model into a store.")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="the model store; made if it does not exist")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of the split and the training (default %(default)s)")
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"which to train (default all: {' '.join(RECIPES)})")
    options = parser.parse_args(arguments)
    names = options.versions or list(RECIPES)
    try:
        check_names(options.store, names, options.seed)
        training, holdout = split(options.seed)
        publish_holdout(options.store, holdout.to_csv())
        for name in names:
            card, model = train(name, training, holdout, options.seed)
            publish(options.store, card, model)
            print(_line(card), flush=True)  # noqa: T201  what a person who trains wants to see
    except AppError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    return 0


def _line(card: ModelCard) -> str:
    metrics = card.metrics
    failed = f" ({metrics['holdout_failed']:.0%} of the cases fail)" if metrics["holdout_failed"] else ""
    return (
        f"{card.version}: holdout accuracy {metrics['holdout_accuracy']:.3f}{failed}, cross-validated "
        f"{metrics['cross_validated_accuracy']:.3f} ± {metrics['cross_validated_accuracy_sd']:.3f} · {card.idea}"
    )


if __name__ == "__main__":
    sys.exit(main())

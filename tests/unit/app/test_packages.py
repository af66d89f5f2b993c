"""What the image installs: a model is only loaded by the libraries that made it, so these must be the ones that train here."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def pinned(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_the_image_loads_what_is_trained_here() -> None:
    here, image = pinned(PROJECT / "requirements.lock"), pinned(PROJECT / "app" / "requirements.lock")

    for name in ("scikit-learn", "numpy", "joblib"):
        assert len(image[name]) == 1
        assert image[name] <= here[name], f"{name}: `make lock` makes both locks anew"


def test_every_package_of_the_image_has_a_digest_and_no_registry_is_named() -> None:
    text = (PROJECT / "app" / "requirements.lock").read_text(encoding="utf-8")

    packages = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in text

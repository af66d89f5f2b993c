"""A third good version for tests that need one: the model of v2 under another name."""

import json
from pathlib import Path


def with_v3(store: Path, folder: Path) -> Path:
    """A model store in `folder` with what `store` has, and v3."""
    folder.mkdir()
    for path in store.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "v3").mkdir()
    card = json.loads((store / "v2" / "model.json").read_text())
    (folder / "v3" / "model.json").write_text(json.dumps({**card, "version": "v3"}))
    (folder / "v3" / "model.joblib").write_bytes((store / "v2" / "model.joblib").read_bytes())
    return folder

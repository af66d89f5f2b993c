"""The dashboards' JSON, as Grafana is provisioned with it: made from the code, committed, and compared with the code."""

import difflib
import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import compare, gateway, model_api, rollout, serving

FOLDER = Path(__file__).parents[1] / "charts" / "lab" / "dashboards"
BOARDS = {
    "rollout": rollout.build,
    "compare": compare.build,
    "model-api": model_api.build,
    "gateway": gateway.build,
    "serving": serving.build,
}
ANNOTATIONS = {
    "Steps": {"titleFormat": "{{step}}", "textFormat": "{{run}}"},
    "Verdicts": {"titleFormat": "{{verdict}}", "textFormat": "{{phase}} of {{run}}"},
}
"""What Grafana's Prometheus plugin asks of an annotation besides the query, which the SDK has no words for."""


def text(name: str) -> str:
    """The JSON of the dashboard `name`, as it stands in the chart."""
    model: dict[str, Any] = json.loads(json.dumps(BOARDS[name]().build(), cls=JSONEncoder))
    for annotation in model.get("annotations", {}).get("list", []):
        annotation |= {**ANNOTATIONS[annotation["name"]], "useValueForTime": "on", "step": "1s"}
    return json.dumps(model, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path = FOLDER) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in BOARDS:
        (folder / f"{name}.json").write_text(text(name), encoding="utf-8")


def drift(folder: Path = FOLDER) -> str:
    """How what is committed differs from what the code says; empty if it does not."""
    expected = {folder / f"{name}.json": text(name) for name in BOARDS}
    lines: list[str] = []
    for path in sorted({*expected, *folder.glob("*.json")}):
        there, wanted = path.read_text(encoding="utf-8") if path.exists() else "", expected.get(path, "")
        lines += difflib.unified_diff(
            there.splitlines(), wanted.splitlines(), f"{path.name} as committed", f"{path.name} as coded", "", "", 1, ""
        )
    return "\n".join(lines)

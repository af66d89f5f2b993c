"""The report on paper and on a dark screen, by a real browser: all of it is there, and all of it can be read."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from impact.report import write_report
from tests.browser import Browser, chromium
from tests.unit.impact.recorded_run import a_run, carried_out, record

pytestmark = pytest.mark.browser

A4_POINTS = (595, 842)
MOST_SHEETS = 7
TITLES = (
    "Who got the new version",
    "Who answered",
    "How fast",
    "What went wrong",
    "What users met",
    "Verdicts",
    "Phases",
    "Totals",
    "Where and how",
)
READABLE = 4.5
"""Contrast that WCAG asks of text (1.4.3)."""
FAINTEST = """
(() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => channels(text).slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor, parts = channels(color);
      if (parts.length === 3 || parts[3] === 1) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const seen = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("style, script, title")) continue;
    const style = getComputedStyle(element), color = element.closest("svg") ? style.fill : style.color;
    const [dark, bright] = [light(color), light(ground(element))].sort((a, b) => a - b);
    seen.push([(bright + 0.05) / (dark + 0.05), element.textContent.trim().slice(0, 40), color, ground(element)]);
  }
  return {count: seen.length, faintest: seen.sort((a, b) => a[0] - b[0])[0]};
})()
"""
"""The text with the least contrast to what it stands on, and how many were looked at."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with the report of a run in which everything happened."""
    folder = tmp_path_factory.mktemp("report")
    page = write_report(record(folder / "runs", carried_out(a_run("v2-broken"), failing=0.3)))
    with chromium(folder / "profile") as browser:
        browser.open(page.as_uri())
        browser.wait_for("Where and how")
        yield browser


def test_it_prints_on_a_few_sheets_of_a4_with_every_part_on_them(shown: Browser, tmp_path: Path) -> None:
    printed = shown.call("Page.printToPDF", preferCSSPageSize=True, generateTaggedPDF=True, generateDocumentOutline=True)
    paper = base64.b64decode(printed["data"])

    sheets = [tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", paper)]
    assert 2 <= len(sheets) <= MOST_SHEETS
    assert {(round(width), round(height)) for _, _, width, height in sheets} <= {
        (A4_POINTS[0] + more, A4_POINTS[1] + taller) for more in (0, 1) for taller in (0, 1)
    }
    headings = re.findall(rb"/Title \(([^)]*)\)", paper)
    assert [title for title in TITLES if title.encode() not in headings] == []
    # words, and not only shapes: they can be searched and read aloud
    assert paper.count(b"/ToUnicode") >= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_light_and_dark(shown: Browser, scheme: str) -> None:
    shown.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    found: dict[str, Any] = shown.evaluate(FAINTEST)
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")

    assert found["count"] > 100
    assert found["faintest"][0] >= READABLE, found
    assert (sum(map(int, re.findall(r"\d+", ground))) < 3 * 128) is (scheme == "dark")

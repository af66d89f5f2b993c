"""SVG drawings that live inside an HTML page. The only place that sets matplotlib up.

Text stays text, and colours are variables of the page's style sheet, so that one drawing fits a light and a dark page:
matplotlib draws with the placeholder colours of PAINT, which are then replaced by `var(--name)`. Whatever has a colour has a line
style, a hatch or a name beside it, for readers who do not tell colours apart.
"""

import io
import re
import warnings

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from strategies.traffic import Slot

PAINT = {
    "ink": "#010101",
    "grid": "#010102",
    "band": "#010103",
    "blue": "#010104",
    "green": "#010105",
    "bad": "#010106",
    "second": "#010107",
    "third": "#010108",
}
STYLE = {Slot.BLUE: "solid", Slot.GREEN: (0, (5, 1.5)), None: "dotted"}
mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "report",
        "text.parse_math": False,
        "font.size": 10,
        "legend.frameon": False,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), PAINT["ink"]),
        "grid.color": PAINT["grid"],
    }
)


def legend(axes: Axes, color: str = "") -> None:
    """Above the panel, and in the first one above the names of the phases."""
    spec = axes.get_subplotspec()
    height = 1.12 if spec and spec.is_first_row() else 1.01
    drawn = axes.legend(loc="lower left", bbox_to_anchor=(0, height), ncols=5, borderaxespad=0)
    for line in drawn.get_lines() if color else ():
        line.set_color(color)


def svg(figure: Figure) -> str:
    """The figure as an element to be put into a page: its own ids, no size of its own, the page's colours and style."""
    file = io.StringIO()
    with warnings.catch_warnings():
        # the page's reader has fonts of their own; matplotlib's is only used to measure
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.draw_without_rendering()  # the layout has to know the final tick labels, or they are cut off
        figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1), count=1)
    text = re.sub(r'( id="|ref="#|url\(#)', rf"\1{figure.get_gid()}-", text)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)
    for name, color in PAINT.items():
        text = text.replace(color, f"var(--{name})")
    return text

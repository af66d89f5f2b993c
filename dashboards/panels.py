"""The few kinds of panels that the lab's dashboards are made of, so that the same thing looks the same everywhere.

Colours of the slots are told apart by people who do not see red and green, too. No panel fills a gap with zero: no data is
drawn as no data, except where a query itself says that none is zero.
"""

from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
COLORS = {"blue": "#0072B2", "green": "#009E73"}
HALF, THIRD, QUARTER, FULL = 12, 8, 6, 24
HEIGHT = 8
P = TypeVar("P", timeseries.Panel, heatmap.Panel, stat.Panel, statetimeline.Panel, table.Panel)


class Query(NamedTuple):
    """PromQL, and how its series are called; `{{label}}` is replaced by a label's value.

    `every` says how often what it asks for is scraped, if that is not as often as everything else: Grafana makes windows from it.
    """

    expr: str
    legend: str
    dashed: bool = False
    every: str = ""


def board(uid: str, title: str, description: str, *, span: str = "now-15m") -> dashboard.Dashboard:
    """An empty dashboard that shows the last `span` of time, refreshes itself, and lets one choose the data source."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["deployment-strategy-lab"])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(span, "now")
        .refresh("5s")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .link(dashboard.DashboardLink("Lab").tags(["deployment-strategy-lab"]).as_dropdown(True).keep_time(True).include_vars(True))
    )


def framed(panel: P, title: str, description: str, *, span: int, height: int = HEIGHT, source: DataSourceRef = SOURCE) -> P:
    """The panel with what all kinds have alike."""
    return panel.title(title).description(description).datasource(source).span(span).height(height)


def lines(title: str, description: str, *queries: Query, unit: str, span: int = HALF) -> timeseries.Panel:
    """Lines over time; a dashed one is what was intended or is a limit."""
    panel = (
        framed(timeseries.Panel(), title, description, span=span)
        .unit(unit)
        .line_width(2)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .no_value("no data")
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for number, query in enumerate(queries):
        ref = chr(ord("A") + number)
        panel = panel.with_target(_target(query, ref))
        if query.dashed:
            panel = panel.override_by_query(ref, [DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [10, 10]})])
    for slot, color in COLORS.items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel = panel.override_by_regexp(f"(^|\\s){slot}\\b.*", [fixed])
    return panel


def stacked(title: str, description: str, *queries: Query, unit: str, span: int = HALF) -> timeseries.Panel:
    """Areas on top of each other, whose height is the sum."""
    return (
        lines(title, description, *queries, unit=unit, span=span)
        .draw_style(GraphDrawStyle.LINE)
        .fill_opacity(60)
        .line_width(1)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    )


def heat(title: str, description: str, query: Query, *, unit: str, span: int = HALF) -> heatmap.Panel:
    """A histogram's buckets over time; `query` gives a rate by `le`."""
    return (
        framed(heatmap.Panel(), title, description, span=span)
        .with_target(_asked(query, "A").range().format(PromQueryFormat.HEATMAP))
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Viridis").steps(64))
        .y_axis(heatmap.YAxisConfig().unit(unit).scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LINEAR)))
        .cell_gap(1)
        .show_legend()
    )


def percent(part: str, whole: str, *, matching: str = "") -> str:
    """PromQL of how many percent `part` is of `whole`; no data, rather than not a number, where the whole is nothing."""
    return f"100 * {part} / {matching}({whole} > 0)"


def quantile(q: float, buckets: str) -> str:
    """PromQL of a quantile, 0..1, of buckets by `le`; no data, rather than not a number, where nothing was counted."""
    return f"histogram_quantile({q}, {buckets}) >= 0"


def number(title: str, description: str, query: Query, *, unit: str = "none", named: bool = False) -> stat.Panel:
    """The value at the end of the time shown, large; with `named` its legend instead, for series that are 1 while they hold."""
    return (
        framed(stat.Panel(), title, description, span=QUARTER, height=4)
        .unit(unit)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.NONE)
        .text_mode(BigValueTextMode.NAME if named else BigValueTextMode.AUTO)
        .no_value("no data")
        .with_target(_asked(query, "A").instant())
    )


def states(title: str, description: str, query: Query, *, span: int = FULL) -> statetimeline.Panel:
    """Which of several named states held when: a series of 1 for as long as its state holds."""
    return (
        framed(statetimeline.Panel(), title, description, span=span)
        .show_value(VisibilityMode.NEVER)
        .legend(common.VizLegendOptions().show_legend(False))
        .with_target(_target(query, "A"))
    )


def rows(title: str, description: str, *queries: Query, by: str, span: int = FULL) -> table.Panel:
    """A table with a row for each value of the label `by`, and a column for each query, named by its legend."""
    panel = framed(table.Panel(), title, description, span=span).no_value("no data")
    names = {"Time": True}
    renamed: dict[str, str] = {}
    for position, query in enumerate(queries):
        ref = chr(ord("A") + position)
        renamed[f"Value #{ref}"] = query.legend
        if len(queries) == 1:
            # the only query's column has no letter
            renamed["Value"] = query.legend
        target = prometheus.Dataquery().expr(query.expr).instant().format(PromQueryFormat.TABLE).ref_id(ref)
        panel = panel.with_target(target.datasource(SOURCE))
    return panel.with_transformation(
        DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"})
    ).with_transformation(
        DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": names | {f"Time {number}": True for number in range(1, len(queries) + 1)}, "renameByName": renamed},
        )
    )


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    return _asked(query, ref).range()


def _asked(query: Query, ref: str) -> prometheus.Dataquery:
    asked = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref).datasource(SOURCE)
    return asked.interval(query.every) if query.every else asked

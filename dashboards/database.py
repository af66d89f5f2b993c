"""Panels over the database of predictions. The SDK has no words for PostgreSQL, so the query is written here as Grafana takes it."""

from typing import Literal, NamedTuple

from grafana_foundation_sdk.builders import dashboard, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from dashboards.panels import HALF, framed

KIND = "grafana-postgresql-datasource"
SOURCE = DataSourceRef(type_val=KIND, uid="${database}")


class Sql(NamedTuple):
    """A query of PostgreSQL, with Grafana's macros; `frame` says whether it gives a table, or points by time and metric."""

    text: str
    frame: Literal["table", "time_series"] = "table"


class _Query(Dataquery):
    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def to_json(self) -> dict[str, object]:
        """The query as Grafana's plugin takes it."""
        return {
            "datasource": {"type": KIND, "uid": SOURCE.uid},
            "editorMode": "code",
            "format": self._sql.frame,
            "rawQuery": True,
            "rawSql": self._sql.text,
            "refId": "A",
        }


class _Target(Builder[Dataquery]):
    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def build(self) -> Dataquery:
        return _Query(self._sql)


def variable() -> dashboard.DatasourceVariable:
    """Lets one choose the database."""
    return dashboard.DatasourceVariable("database").label("Predictions").type(KIND)


def found(title: str, description: str, sql: str, *, span: int = HALF) -> table.Panel:
    """The rows of a query."""
    return framed(table.Panel(), title, description, span=span, source=SOURCE).no_value("no data").with_target(_Target(Sql(sql)))


def counted(title: str, description: str, sql: str, *, unit: str = "none", span: int = HALF) -> timeseries.Panel:
    """A query's values over time, with a line for each metric."""
    return (
        framed(timeseries.Panel(), title, description, span=span, source=SOURCE)
        .unit(unit)
        .line_width(2)
        .fill_opacity(0)
        .no_value("no data")
        .with_target(_Target(Sql(sql, "time_series")))
    )

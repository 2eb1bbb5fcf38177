"""Dashboards as the JSON that Grafana imports: panels in rows, laid out from left to right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 24
_SCHEMA = 39
"""Of the JSON, not of Grafana; newer versions migrate it when they load it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph, or one figure for each series of its queries."""

    title: str
    text: str
    """What is to be seen, and what to look for."""
    unit: str
    """Identifier of a unit of Grafana; metrics are in base units."""
    queries: tuple[tuple[str, str], ...]
    """Expression and legend, each."""
    figure: bool = False
    width: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A choice at the top of the dashboard, from the values of a label."""

    name: str
    label: str
    series: str
    several: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page."""

    uid: str
    title: str
    text: str
    variables: tuple[Variable, ...]
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    """Titles of rows with their panels."""


def grafana_json(board: Dashboard) -> dict[str, Any]:
    """What Grafana imports, or its sidecar reads."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.text,
        "tags": ["kubefit"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": _SCHEMA,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_datasource(), *(_variable(v) for v in board.variables)]},
        "panels": list(_laid_out(board)),
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
    }


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.series}, {variable.name})"
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": variable.several,
        "includeAll": variable.several,
        **({"allValue": ".*"} if variable.several else {}),
    }


def _laid_out(board: Dashboard) -> Iterator[dict[str, Any]]:
    number, x, y = 0, 0, 0
    for title, panels in board.rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": _COLUMNS, "h": 1},
            "panels": [],
        }
        x, y, height = 0, y + 1, 0
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y, height = 0, y + height, 0
            number += 1
            height = max(height, 4 if panel.figure else 8)
            place = {"x": x, "y": y, "w": panel.width, "h": 4 if panel.figure else 8}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            x += panel.width
        y += height


def _panel(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if not panel.figure:
        defaults["custom"] = {"fillOpacity": 10, "showPoints": "never", "spanNulls": False}
    options: dict[str, Any] = (
        {"colorMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}}
        if panel.figure
        else {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    )
    return {
        "type": "stat" if panel.figure else "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + i),
                "datasource": _SOURCE,
                "expr": expr,
                "legendFormat": legend,
                "instant": panel.figure,
                "range": not panel.figure,
            }
            for i, (expr, legend) in enumerate(panel.queries)
        ],
    }

"""Puts a page together: what is said of each node, the data as JSON, the libraries, all in one file.

Markup stands in `assets/page.html.j2`; no sentence of it is written here twice.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError
from kwdag.metrics import Metrics
from kwdag.report.html import dag, encode, links, summary, timeline
from kwdag.report.html.libraries import check, libraries
from kwdag.report.labels import clean
from kwdag.roles import Roles

if TYPE_CHECKING:
    import pandas as pd

    from kwdag.pipeline import Wiring

__all__ = ["check", "write_page"]

_SCRIPTS = (
    "store",
    "selection",
    "formats",
    "table",
    "details",
    "scales",
    "figures",
    "parallel",
    "timeline",
    "main",
)


def write_page(
    path: str | os.PathLike[str],
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Metrics],
    roles: Roles,
    *,
    title: str,
    wiring: Wiring | None = None,
    jobs: pd.DataFrame | None = None,
    states: Mapping[str, Mapping[str, int]] | None = None,
    base: str | None = None,
) -> Path:
    """Write one self-contained HTML file; returns its path.

    Args:
        path: the file; its folder is made. Links into that folder are relative: both may move together.
        tables: node -> ranked rows, best last.
        wiring: the pipeline, for its picture and for the pictures that its nodes write.
        jobs: one row a job: node, job_id, dpath, state, start and stop in seconds since the epoch, wall, cpu,
            max_rss, host; for durations and the timeline.
        states: node -> state -> number of jobs.
        base: parameters that are paths below this folder are shown relative to it.

    Raises:
        ResultError: a library is not installed, or the file cannot be written.
    """
    page = Path(path)
    folder = os.path.dirname(os.path.abspath(path))
    text = _html(tables, metrics, roles, title, wiring, jobs, states or {}, base, folder)
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ResultError(f"cannot write: {error.strerror}", where=str(error.filename or page)) from error
    return page


def _html(
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Metrics],
    roles: Roles,
    title: str,
    wiring: Wiring | None,
    jobs: pd.DataFrame | None,
    states: Mapping[str, Mapping[str, int]],
    base: str | None,
    folder: str,
) -> str:
    found = libraries()
    anchors = {node: f"node-{i}" for i, node in enumerate(tables)}
    data = {
        "nodes": [
            _node(node, table, metrics.get(node, Metrics()), roles, wiring, base, folder)
            for node, table in tables.items()
        ],
        "timeline": timeline.timeline(jobs, folder) if jobs is not None and len(jobs) else None,
    }
    facts = summary.facts(wiring, jobs, states, anchors)
    scripts = [f"window.kwdag = {{}};\n{_asset('quiet.js')}", found.tables, _script()]
    return _template().render(
        title=clean(title),
        sections=[
            summary.section(node, table, metrics.get(node, Metrics()), roles, states.get(node, {}), base)
            | {"anchor": anchors[node]}
            for node, table in tables.items()
        ],
        costs=summary.costs(jobs) if jobs is not None else [],
        dag=dag.picture(wiring, facts) if wiring is not None and wiring.nodes else "",
        has_timeline=data["timeline"] is not None,
        policy=_policy([*scripts, found.plots]),
        data=_json(data),
        scripts=scripts,
        plots=found.plots,
        styles=[found.tables_css, _asset("page.css"), _asset("print.css")],
    )


def _node(
    node: str,
    table: pd.DataFrame,
    metrics: Metrics,
    roles: Roles,
    wiring: Wiring | None,
    base: str | None,
    folder: str,
) -> dict[str, Any]:
    job_ids = [clean(name) for name in table["job_id"].tolist()] if "job_id" in table else [""] * len(table)
    dpaths = table["dpath"].tolist() if "dpath" in table else [""] * len(table)
    known = wiring.nodes[node].out_paths if wiring is not None and node in wiring.nodes else None
    return {
        "name": clean(node),
        "rows": len(table),
        "columns": encode.columns(table, metrics, roles, node, base),
        "folders": links.folders(dpaths, job_ids, folder),
        "pictures": links.pictures(known, reversed(dpaths)),
    }


def _json(data: Any) -> str:
    """JSON of plain ASCII that can stand in a script element."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _policy(scripts: list[str]) -> str:
    """What the page may do: run these scripts and show files beside it; nothing from any network."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src 'self' file: data: blob:; base-uri 'none'; form-action 'none'"
    )


def _script() -> str:
    return "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text("utf-8")


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("page.html.j2"))

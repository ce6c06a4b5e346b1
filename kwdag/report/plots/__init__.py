"""Pictures of ranked tables as files: what each parameter does to the metrics, what varied, what it cost.

Which pictures there are and where they go; how each is drawn is the business of its module.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kwdag.errors import ResultError, did_you_mean
from kwdag.metrics import Metrics
from kwdag.report.labels import safe_name
from kwdag.report.plots.canvas import Picture, style
from kwdag.report.plots.view import View
from kwdag.roles import Roles

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("png", "svg", "pdf")


def write_plots(
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Metrics],
    roles: Roles,
    folder: str | os.PathLike[str],
    *,
    jobs: pd.DataFrame | None = None,
    formats: Sequence[str] = ("png", "svg"),
    base: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Draw every node's pictures to `<folder>/<node>/<kind>_<param>_<metric>.<format>`; returns the files.

    A metric that is the same in all rows, and a parameter that does not vary, have no picture.

    Args:
        tables: node -> ranked rows, best last.
        jobs: one row a job: node, job_id, state, wall and cpu in seconds, max_rss in bytes, params.*; for the
            pictures of what the jobs cost, of which those over all nodes stand in ``folder`` itself.
        formats: any of png, svg and pdf.
        base: paths below this folder are shown relative to it.
        progress: called with the number of pictures drawn and that of all.

    Raises:
        ResultError: matplotlib or seaborn is not installed, the format is unknown or the disk refuses.
    """
    check(formats)
    folder = Path(folder)
    planned = _distinct(pictures(tables, metrics, roles, jobs, base))
    written = []
    with style():
        for i, (place, picture) in enumerate(planned):
            written += _write(picture, folder / place, formats)
            if progress is not None:
                progress(i + 1, len(planned))
    return written


def check(formats: Sequence[str] = FORMATS) -> None:
    """Raises ResultError unless pictures of these formats can be drawn here."""
    from importlib.util import find_spec

    for name in formats:
        if name not in FORMATS:
            raise ResultError(f"no format {name!r}", where="plot_params", hint=did_you_mean(name, FORMATS))
    for library in ("matplotlib", "seaborn"):
        if find_spec(library) is None:
            raise ResultError(f"needs {library}", where="plot_params", hint="pip install 'kwdag[plots]'")


def pictures(
    tables: Mapping[str, pd.DataFrame],
    metrics: Mapping[str, Metrics],
    roles: Roles,
    jobs: pd.DataFrame | None = None,
    base: str | None = None,
) -> Iterator[tuple[str, Picture]]:
    """(folder, picture) of all there is to draw; nothing is drawn yet."""
    from kwdag.report.plots import heatmap, parallel, params, resources, vantage

    for node, table in tables.items():
        view = View.of(node, table, metrics.get(node, Metrics()), roles, base)
        for module in (params, vantage, parallel, heatmap):
            yield from ((safe_name(node), picture) for picture in module.pictures(view))
    if jobs is not None and len(jobs):
        yield from (("", picture) for picture in resources.overview(jobs))
        for node in dict.fromkeys(jobs["node"].tolist()):
            of_node = jobs[jobs["node"] == node]
            yield from ((safe_name(node), picture) for picture in resources.pictures(node, of_node, base))


def _distinct(planned: Iterable[tuple[str, Picture]]) -> list[tuple[str, Picture]]:
    """The same, each with a file of its own: `a_b` by `c` and `a` by `b_c` would share one."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for place, picture in planned:
        key = place, picture.name.lower()  # some disks do not tell capitals apart
        seen[key] += 1
        if seen[key] > 1:
            picture = replace(picture, name=f"{picture.name}-{seen[key]}")
        found.append((place, picture))
    return found


def _write(picture: Picture, folder: Path, formats: Sequence[str]) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return picture.save(folder, formats)
    except OSError as error:
        raise ResultError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error

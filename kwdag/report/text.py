"""The report on a terminal: what varied, which parameters each hash stands for, and the best rows last.

Returns text; what is ranked how is ranking.py's business.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kwdag import ranking
from kwdag.cells import is_missing
from kwdag.metrics import metric_columns
from kwdag.report.boards import Board, Section, boards
from kwdag.report.effects_text import effect_lines
from kwdag.report.labels import relative
from kwdag.report.options import Options
from kwdag.report.params_text import parameter_lines
from kwdag.report.places_text import left_out_lines, pareto_lines, settled_lines
from kwdag.report.support_text import bias_lines
from kwdag.report.tables import WIDTH, table_lines
from kwdag.roles import Roles

if TYPE_CHECKING:
    import pandas as pd

_RULE = "---"


def report(
    sections: Iterable[Section],
    options: Options | None = None,
    roles: Roles | None = None,
    *,
    base: str | None = None,
    width: int = WIDTH,
) -> str:
    """The whole report. Absolute paths below the folder ``base`` are shown relative to it."""
    options, roles = options or Options(), roles or Roles()
    parts = ("\n".join(_section(section, options, roles, base, width)) for section in sections)
    # text from a damaged file may hold code points that no terminal can be sent
    return "\n\n".join(parts).encode("utf-8", "backslashreplace").decode() + "\n"


def skipped_lines(skipped: Iterable[tuple[Any, str]], base: str | None = None) -> list[str]:
    """`path: reason`, a line for each job directory that was set aside."""
    return [f"{relative(str(path), base)}: {reason}" for path, reason in skipped]


def _section(section: Section, options: Options, roles: Roles, base: str | None, width: int) -> Iterator[str]:
    table = section.table
    if table.empty:
        yield f"No results of {section.node}"
        yield from _absent(section)
        return
    found = boards(section, options, roles)
    shown = [hashid for board in found for hashid in board.shown["param_hashid"]]
    yield from parameter_lines(table, list(dict.fromkeys(shown)), options, roles, base, width)
    if options.analyze:
        yield from effect_lines(table, section.metrics, roles, base, width)
    for board in found:
        yield _RULE
        yield f"Top {len(board.shown)} / {len(board.ranked)} for {section.node}, {board.label}"
        yield from _top_table(board.shown, section, options, base, width)
        for line in _notes(board, section, options):
            yield from textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)
    yield from _absent(section)
    yield from bias_lines(table, section.absent, section.metrics, roles, base, width)


def _notes(board: Board, section: Section, options: Options) -> Iterator[str]:
    yield from settled_lines(board.settled, board.absent)
    yield from left_out_lines(board.left_out)
    if options.analyze:
        yield from pareto_lines(board.ranked, section.metrics.primary)


# -- tables ----------------------------------------------------------------------------------------


def _top_table(
    rows: pd.DataFrame, section: Section, options: Options, base: str | None, width: int
) -> Iterator[str]:
    columns = dict(_columns(rows, section, options))
    yield from table_lines(columns, width, keys=2)
    if options.show_csv:
        yield ""
        yield from _csv(columns)


def _columns(rows: pd.DataFrame, section: Section, options: Options) -> Iterator[tuple[str, list[Any]]]:
    yield "region_id", rows["region_id"].tolist()
    yield "param_hashid", rows["param_hashid"].tolist()
    shown = [metric for metric in section.metrics.display if metric.column in rows]
    for metric in shown:
        yield metric.name, rows[metric.column].tolist()
        spread = ranking.spread_column(metric)
        if spread in rows and metric in section.metrics.primary:
            yield f"{metric.name}_std", rows[spread].tolist()
    if options.concise:
        return
    prefix = f"metrics.{section.node}."
    for column in metric_columns(rows):
        if column not in {metric.column for metric in shown}:
            yield column.removeprefix(prefix), rows[column].tolist()
    if "job_id" in rows:
        yield "job_id", rows["job_id"].tolist()


def _csv(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    rows = zip(*columns.values(), strict=True)
    writer.writerows(["" if is_missing(value) else value for value in row] for row in rows)
    return stream.getvalue().splitlines()


# -- what else -------------------------------------------------------------------------------------


def _absent(section: Section) -> Iterator[str]:
    """Why fewer rows are ranked than there are jobs."""
    states = {state: n for state, n in section.states.items() if state not in ("done", "damaged")}
    counts = [f"{n} {state}" for state, n in sorted(states.items())]
    counts += [f"{section.skipped} skipped"] if section.skipped else []
    if counts:
        yield f"Not ranked: {', '.join(counts)}"

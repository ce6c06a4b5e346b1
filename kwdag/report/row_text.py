"""Everything about one row: parameters, metrics, files, command, log and pictures.

What lies in the job directories row_files.py finds.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kwdag.cells import is_missing
from kwdag.find_row import pick_row
from kwdag.report.labels import amount, clean, duration, relative
from kwdag.report.tables import WIDTH
from kwdag.roles import Roles, param_columns
from kwdag.row_files import RowFiles, files_of

if TYPE_CHECKING:
    import pandas as pd

_INDENT = "    "


def row_lines(
    tables: Mapping[str, pd.DataFrame],
    hashid: str,
    roles: Roles | None = None,
    base: str | None = None,
    width: int = WIDTH,
) -> Iterator[str]:
    """A block for each region of a row, given by its param_hashid or job id, or a unique beginning of one.

    Raises:
        ResultError: it stands for none, or for several.
    """
    column, wanted = pick_row(tables, hashid, "inspect")
    return _blocks(tables, column, wanted, roles or Roles(), base, width)


def _blocks(
    tables: Mapping[str, pd.DataFrame], column: str, wanted: str, roles: Roles, base: str | None, width: int
) -> Iterator[str]:
    first = True
    for node, table in tables.items():
        for region, ranked in table.groupby("region_id", sort=True):
            rows = ranked[ranked[column] == wanted]
            for index in reversed(rows.index.tolist()):
                place = len(ranked) - ranked.index.tolist().index(index)
                if not first:
                    yield "---"
                first = False
                yield f"{rows.loc[index, 'param_hashid']} on {clean(region)}: place {place} of {len(ranked)}"
                row = {name: rows[name].loc[index] for name in table.columns}
                yield from _row(node, row, param_columns(table), roles, base, width)


def _row(
    node: str, row: Mapping[str, Any], params: Sequence[str], roles: Roles, base: str | None, width: int
) -> Iterator[str]:
    metrics = [name for name in row if name.startswith("metrics.")]
    others = [name for name in row if name.partition(".")[0] in ("context", "machine", "resources")]
    yield from _section("metrics", _values(row, metrics, f"metrics.{node}.", base), width)
    hashed = [name for name in params if name.removeprefix("params.") not in roles.unhashed]
    yield from _section("parameters", _values(row, hashed, "params.", base), width)
    unhashed = [name for name in params if name not in hashed]
    left_out = _values(row, unhashed, "params.", base)
    yield from _section("parameters that the hash leaves out", left_out, width)
    yield from _section("recorded by the program", _values(row, others, "", base), width)
    files = files_of(str(row["dpath"]))
    yield from _section("job", _job(row, files, base))
    if files is not None:
        yield from _files(files, base)


def _section(title: str, pairs: Iterable[tuple[str, str]], width: int = 10**6) -> Iterator[str]:
    """A title and aligned lines below it, folded at blanks; nothing where there are none."""
    pairs = list(pairs)
    if not pairs:
        return
    yield ""
    yield title
    indent = len(_INDENT) + 2 + max(len(name) for name, _ in pairs)
    for name, text in pairs:
        head = f"{_INDENT}{name}".ljust(indent)
        lines = textwrap.wrap(text, max(20, width - indent), break_long_words=False, break_on_hyphens=False)
        yield (head + "".join(lines[:1])).rstrip()
        yield from (" " * indent + line for line in lines[1:])


def _values(
    row: Mapping[str, Any], names: Iterable[str], prefix: str, base: str | None
) -> Iterator[tuple[str, str]]:
    for name in names:
        if not is_missing(row[name]):
            text = row[name] if isinstance(row[name], str) else repr(_plain(row[name]))
            yield clean(name.removeprefix(prefix).removeprefix("metrics.")), clean(relative(text, base))


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's own, which reads `0.5` and not `np.float64(0.5)`."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _job(row: Mapping[str, Any], files: RowFiles | None, base: str | None) -> Iterator[tuple[str, str]]:
    yield "id", str(row["job_id"])
    yield "folder", clean(relative(str(row["dpath"]), base)) + ("" if files else " (which is gone)")
    status = files.status if files else {}
    if status.get("start"):
        yield "began", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status["start"]))
    if status.get("wall") is not None:
        cpu = f", {duration(status['cpu'])} of CPU" if status.get("cpu") is not None else ""
        memory = f", {amount(status['max_rss'])} of memory" if status.get("max_rss") else ""
        yield "took", f"{duration(status['wall'])}{cpu}{memory}"
    where = [str(status[name]) for name in ("host", "backend") if status.get(name)]
    if where:
        yield "on", clean(", ".join(where))
    for name in ("kwdag", "git"):
        if status.get(name):
            yield name, clean(status[name])


def _files(files: RowFiles, base: str | None) -> Iterator[str]:
    yield from _section("outputs", (
        (output.key, f"{clean(relative(output.path, base))}  "
         + ("(missing)" if output.size is None else f"({amount(output.size)})"))
        for output in files.outputs
    ))  # fmt: skip
    yield from _section("rests on", (
        (f"{job_id} {state}", clean(relative(path, base))) for job_id, path, state in files.ancestors
    ))  # fmt: skip
    yield from _text("command", files.command.splitlines())
    yield from _text("end of the log", files.log)
    yield from _text("pictures", [relative(path, base) for path in files.pictures])


def _text(title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield ""
        yield title
        for line in lines:
            line = line.expandtabs()
            yield _INDENT + " " * (len(line) - len(line.lstrip())) + clean(line)

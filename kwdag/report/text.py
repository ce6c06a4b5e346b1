"""The report on a terminal: what varied, which parameters each hash stands for, and the best rows last.

Returns text; what is ranked how is ranking.py's business.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kwdag import ranking
from kwdag.errors import ResultError, did_you_mean
from kwdag.metrics import Metric, Metrics, is_numeric, metric_columns
from kwdag.roles import Roles, hashed_columns

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 80
_MAX_VALUES = 24
_RULE = "---"


@dataclass(frozen=True, slots=True)
class Options:
    """What the report shows.

    Attributes:
        top_k: rows a region, None for all.
        per_group: rows that may share one model (parameters tagged `model`; without any, one param_hashid).
        macro_analysis: also rank what all regions measured, by the mean over them; or a list of regions.
        analyze: mean and best of the first primary metric for each value of each varied parameter.
        print_models: the models behind each hash, where parameters are tagged `model`.
        reference_region: show only what is among the top of this region; `final` is the last one.
        concise: leave out the metrics that are not for display, and the job ids.
        show_csv: each table a second time, as CSV.
    """

    top_k: int | None = 100
    per_group: int | None = None
    macro_analysis: bool | list[str] = False
    analyze: bool = False
    print_models: bool = True
    reference_region: str | None = None
    concise: bool = True
    show_csv: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any] | bool | None) -> Options:
        """Read a mapping of these names; numbers serve as booleans. Raises ResultError on any other."""
        if isinstance(spec, bool | None):
            return cls()
        if not isinstance(spec, Mapping):
            raise ResultError(f"a mapping of options is needed, not {spec!r}", where="stdout_report")
        known = {option.name for option in dataclasses.fields(cls)}
        for name in spec:
            if name not in known:
                raise ResultError(
                    f"no option {name!r}", where="stdout_report", hint=did_you_mean(str(name), known)
                )
        return cls(**{name: _option(name, value) for name, value in spec.items()})


def _option(name: str, value: Any) -> Any:
    if name in ("top_k", "per_group"):
        return _count(name, value)
    if name == "reference_region":
        if value is None or isinstance(value, str):
            return value
        raise _refused(name, "the name of a region or null", value)
    if name == "macro_analysis" and isinstance(value, list) and value:
        return [str(region) for region in value]
    if isinstance(value, int) or (name, value) == ("concise", "split"):
        return bool(value)
    raise _refused(name, "0, 1 or a list of regions" if name == "macro_analysis" else "0 or 1", value)


def _count(name: str, value: Any) -> int | None:
    if value is None or value == math.inf:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise _refused(name, "a whole number above 0 or null", value)


def _refused(name: str, wanted: str, value: Any) -> ResultError:
    return ResultError(f"{name} is {wanted}, not {value!r}", where="stdout_report")


@dataclass(frozen=True, slots=True)
class Section:
    """All that is reported of one node: its rows (best last), what ranked them, and what has no row."""

    node: str
    table: pd.DataFrame
    metrics: Metrics
    states: Mapping[str, int] = dataclasses.field(default_factory=dict)
    skipped: int = 0


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
    regions = _regions(section, options, roles)
    shown = [hashid for _, rows in regions.values() for hashid in rows["param_hashid"]]
    yield from _parameters(table, list(dict.fromkeys(shown)), options, roles, base)
    if options.analyze:
        yield from _effects(section, base)
    for region, (total, rows) in regions.items():
        yield _RULE
        yield f"Top {len(rows)} / {total} for {section.node}, {region}"
        yield from _top_table(rows, section, options, base, width)
    yield from _absent(section)


# -- regions ---------------------------------------------------------------------------------------


def _regions(section: Section, options: Options, roles: Roles) -> dict[str, tuple[int, pd.DataFrame]]:
    """Region -> (number of its rows, those to show)."""
    ranked = ranking.by_region(section.table)
    if options.macro_analysis:
        label, rows = _macro(section, options, list(ranked))
        ranked[label] = rows
    if options.reference_region is not None:
        return _by_reference(ranked, options, section, roles)
    return {region: (len(rows), _top(rows, section, options, roles)) for region, rows in ranked.items()}


def _macro(section: Section, options: Options, known: list[str]) -> tuple[str, pd.DataFrame]:
    wanted = options.macro_analysis if isinstance(options.macro_analysis, list) else known
    ranking.check_regions(wanted, known, "stdout_report")
    rows = ranking.macro(section.table, _numeric(section), wanted)
    return f"macro_{len(wanted)} ({', '.join(wanted)})", ranking.rank(
        rows, _present(section.metrics.primary, rows)
    )


def _by_reference(
    ranked: Mapping[str, pd.DataFrame], options: Options, section: Section, roles: Roles
) -> dict[str, tuple[int, pd.DataFrame]]:
    reference = list(ranked)[-1] if options.reference_region == "final" else str(options.reference_region)
    reference = next((region for region in ranked if region.split(" (")[0] == reference), reference)
    ranking.check_regions([reference], ranked, "stdout_report")
    best = _top(ranked[reference], section, options, roles)
    hashids = set(best["param_hashid"])
    return {
        region: (len(rows), rows[rows["param_hashid"].isin(hashids)]) for region, rows in ranked.items()
    } | {reference: (len(ranked[reference]), best)}


def _top(rows: pd.DataFrame, section: Section, options: Options, roles: Roles) -> pd.DataFrame:
    models = [name for name in rows.columns if name.removeprefix("params.") in roles.model]
    return ranking.top(rows, options.top_k, options.per_group, models or ["param_hashid"])


def _numeric(section: Section) -> list[Metric]:
    metrics = {m.column: m for m in (*section.metrics.primary, *section.metrics.display)}
    return [m for m in metrics.values() if is_numeric(section.table[m.column])]


def _present(metrics: Sequence[Metric], table: pd.DataFrame) -> list[Metric]:
    return [metric for metric in metrics if metric.column in table]


# -- parameters ------------------------------------------------------------------------------------


def _parameters(
    table: pd.DataFrame, hashids: list[str], options: Options, roles: Roles, base: str | None
) -> Iterator[str]:
    basis = ranking.basis(table)
    varied = {name: _counts(values, base) for name, values in basis.varied.items()}
    hashed = hashed_columns(table, roles)
    yield f"Varied Basis: = {_literal(varied)}"
    yield f"Constant Params: {_literal(_display(basis.constant, base))}"
    named = [name for name in hashed if name in basis.varied]
    yield f"Varied Parameter LUT: {_literal(_display(ranking.lookup(table, named, hashids), base))}"
    models = [name for name in hashed if name.removeprefix("params.") in roles.model]
    if options.print_models and models:
        yield f"Models: {_literal(_display(ranking.lookup(table, models, hashids), base))}"


def _counts(values: Sequence[tuple[Any, int]], base: str | None) -> dict[Any, Any]:
    """repr of a value -> its number of rows, the rare ones summed up where there are many."""
    shown = {_Verbatim(repr(_display(value, base))): n for value, n in values[:_MAX_VALUES]}
    rest = values[_MAX_VALUES:]
    if rest:
        shown[_Verbatim(f"... {len(rest):,} more values")] = sum(n for _, n in rest)
    return shown


class _Verbatim(str):
    """Text that is printed without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _literal(value: Any, indent: str = "") -> str:
    """A mapping as Python would write it, one entry a line."""
    if not isinstance(value, dict) or not value:
        return repr(value)
    deeper = indent + "    "
    lines = [f"{deeper}{key!r}: {_literal(item, deeper)},\n" for key, item in value.items()]
    return "{\n" + "".join(lines) + indent + "}"


def _display(value: Any, base: str | None) -> Any:
    if isinstance(value, str):
        return relative(value, base)
    if isinstance(value, list):
        return [_display(item, base) for item in value]
    if isinstance(value, Mapping):
        return {key: _display(item, base) for key, item in value.items()}
    return value


def relative(text: str, base: str | None) -> str:
    """An absolute path below ``base`` as seen from there, any other text unchanged."""
    prefix = base.rstrip(os.sep) + os.sep if base else ""
    return text[len(prefix) :] if prefix and text.startswith(prefix) and len(text) > len(prefix) else text


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
    shown = _present(section.metrics.display, rows)
    for metric in shown:
        yield metric.name, rows[metric.column].tolist()
    if options.concise:
        return
    prefix = f"metrics.{section.node}."
    for column in metric_columns(rows):
        if column not in {metric.column for metric in shown}:
            yield column.removeprefix(prefix), rows[column].tolist()
    if "job_id" in rows:
        yield "job_id", rows["job_id"].tolist()


def table_lines(columns: Mapping[str, Sequence[Any]], width: int = WIDTH, keys: int = 0) -> list[str]:
    """A table, flush right; one wider than ``width`` goes on below and repeats its first ``keys`` columns."""
    blocks = [_cells(name, list(values)) for name, values in columns.items()]
    fixed, lines = blocks[:keys], []
    for block in _folded(fixed, blocks[keys:], width):
        lines += ["".join(parts)[1:].rstrip() for parts in zip(*fixed, *block, strict=True)]
        lines.append("")
    return lines[:-1]


def _folded(fixed: list[list[str]], blocks: list[list[str]], width: int) -> Iterator[list[list[str]]]:
    room = width + 1 - sum(len(block[0]) for block in fixed)
    page: list[list[str]] = []
    for block in blocks:
        if page and sum(len(one[0]) for one in (*page, block)) > room:
            yield page
            page = []
        page.append(block)
    yield page


def _cells(name: str, values: list[Any]) -> list[str]:
    """The heading and the values of one column, all of one width; numbers stand a little further apart."""
    numeric = all(_is_number(value) or _is_missing(value) for value in values)
    texts = [name, *(_numbers(values) if numeric else map(_text, values))]
    width = max(map(len, texts)) + (2 if numeric else 1)
    return [text.rjust(width) for text in texts]


def _numbers(values: list[Any]) -> list[str]:
    floats = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value) and value]
    style = ".6e" if floats and (min(floats) < 1e-5 or max(floats) >= 1e9) else ".6f"
    return [_number(value, style) for value in values]


def _number(value: Any, style: str) -> str:
    return format(value, style) if isinstance(value, float) and not math.isnan(value) else _text(value)


def _text(value: Any) -> str:
    if _is_missing(value):
        return "NaN"
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _csv(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    rows = zip(*columns.values(), strict=True)
    writer.writerows(["" if _is_missing(value) else value for value in row] for row in rows)
    return stream.getvalue().splitlines()


# -- what else -------------------------------------------------------------------------------------


def _effects(section: Section, base: str | None) -> Iterator[str]:
    if not section.metrics.primary:
        return
    metric = section.metrics.primary[0]
    for column in ranking.basis(section.table).varied:
        found = ranking.effect(section.table, column, metric)[-_MAX_VALUES:]
        if found:
            values, counts, means, bests = zip(*found, strict=True)
            yield f"Effect of {column} on {metric.name}:"
            texts = [str(_display(value, base)) for value in values]
            yield from table_lines({"value": texts, "rows": counts, "mean": means, "best": bests})


def _absent(section: Section) -> Iterator[str]:
    """Why fewer rows are ranked than there are jobs."""
    states = {state: n for state, n in section.states.items() if state not in ("done", "damaged")}
    counts = [f"{n} {state}" for state, n in sorted(states.items())]
    counts += [f"{section.skipped} skipped"] if section.skipped else []
    if counts:
        yield f"Not ranked: {', '.join(counts)}"

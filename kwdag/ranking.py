"""Which rows are best: metrics and their objectives, param_hashid, region_id, what varies, groups, regions.

Pure functions on result tables; reading job directories and printing do not belong here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError, did_you_mean
from kwdag.render import Token, token

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from pandas.core.groupby import DataFrameGroupBy

    from kwdag.node import ProcessNode

UNKNOWN_REGION = "unknown"
AGGREGATORS = ("mean", "median", "min", "max", "sum")


# -- what parameters mean --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roles:
    """What the pipeline says of its parameters; every key is dotted, `<node>.<param>`.

    Attributes:
        unhashed: perf params and those tagged `dataset` or `volatile`: they stay out of ``param_hashid``.
        paths: inputs, whose values are file names.
        neutral: the value at which a parameter does not enter the hash.
        renamed: old -> new name; the hash knows the parameter by its old one.
    """

    unhashed: frozenset[str] = frozenset()
    dataset: frozenset[str] = frozenset()
    model: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    neutral: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[ProcessNode]) -> Roles:
        nodes = list(nodes)
        perf = frozenset(f"{node.name}.{key}" for node in nodes for key in node.perf_params)
        dataset, model, volatile = (_tagged(nodes, tag) for tag in ("dataset", "model", "volatile"))
        return cls(
            unhashed=perf | dataset | volatile,
            dataset=dataset,
            model=model,
            paths=frozenset(f"{node.name}.{key}" for node in nodes for key in node.in_paths),
            neutral={f"{node.name}.{key}": value for node in nodes for key, value in node.neutral.items()},
            renamed={f"{n.name}.{old}": f"{n.name}.{new}" for n in nodes for old, new in n.renamed.items()},
        )


def _tagged(nodes: Iterable[ProcessNode], wanted: str) -> frozenset[str]:
    return frozenset(
        f"{node.name}.{key}" for node in nodes for key, tag in node.tags.items() if tag == wanted
    )


def param_columns(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith("params.")]


def hashed_columns(table: pd.DataFrame, roles: Roles) -> list[str]:
    """The parameter columns that enter ``param_hashid``."""
    return [name for name in param_columns(table) if _key(name) not in roles.unhashed]


def with_identity(table: pd.DataFrame, node: str, roles: Roles) -> pd.DataFrame:
    """The table with ``param_hashid`` and ``region_id``; renamed parameters stand under their new names."""
    table = _merge_renamed(table, roles)
    table = table.assign(region_id=_regions(table, node, roles), param_hashid=_hashids(table, roles))
    first = ["region_id", "param_hashid"]
    return table[first + [name for name in table.columns if name not in first]]


def param_hashid(params: Mapping[str, Any], roles: Roles | None = None) -> str:
    """Twelve lower-case letters that stand for the parameters (dotted keys) of one row.

    A None is as good as no parameter, and a value counts as the text that the program receives.
    """
    roles = roles or Roles()
    pairs = [(key, token(value)) for key, value in params.items() if key not in roles.unhashed]
    return _hashid(pairs, _Identity(roles))


class _Identity:
    """The roles, arranged for quick questions."""

    def __init__(self, roles: Roles):
        self.neutral = {key: token(value) for key, value in roles.neutral.items()}
        self.original = {new: old for old, new in roles.renamed.items()}


def _hashid(pairs: Iterable[tuple[str, Token]], identity: _Identity) -> str:
    kept = [
        (identity.original.get(key, key), text)
        for key, text in pairs
        if text is not None and identity.neutral.get(key) != text
    ]
    canonical = json.dumps(sorted(kept, key=itemgetter(0)), separators=(",", ":")).encode()
    number = int.from_bytes(hashlib.sha256(canonical).digest()[:16], "big")
    letters = []
    for _ in range(12):
        number, digit = divmod(number, 26)
        letters.append(chr(97 + digit))
    return "".join(letters)


def _hashids(table: pd.DataFrame, roles: Roles) -> list[str]:
    names = hashed_columns(table, roles)
    keys, identity = [_key(name) for name in names], _Identity(roles)
    columns = [_tokens(table, name, _key(name) in roles.paths) for name in names]
    rows = zip(*columns, strict=True) if columns else [()] * len(table)
    return [_hashid(zip(keys, row, strict=True), identity) for row in rows]


def _tokens(table: pd.DataFrame, column: str, is_path: bool) -> list[Token]:
    """The values as the program receives them; a path below the row's own root relative to that root."""
    tokens = [token(value) for value in table[column].tolist()]
    if not is_path or "dpath" not in table:
        return tokens
    prefixes = (dpath.rsplit("/", 2)[0] + "/" for dpath in table["dpath"].tolist())
    return [t.removeprefix(p) if isinstance(t, str) else t for t, p in zip(tokens, prefixes, strict=True)]


def _regions(table: pd.DataFrame, node: str, roles: Roles) -> list[str]:
    """The data that each row was measured on: the node's own dataset, else that of its ancestors."""
    tagged = [name for name in param_columns(table) if _key(name) in roles.dataset]
    own = [name for name in tagged if name.startswith(f"params.{node}.")]
    columns = [(name, table[name].tolist()) for name in own or tagged]
    return [
        "+".join(dict.fromkeys(stem for name, values in columns for stem in _stems(name, values[i], roles)))
        or UNKNOWN_REGION
        for i in range(len(table))
    ]


def _stems(name: str, value: Any, roles: Roles) -> list[str]:
    if value is None:
        return []
    texts = map(str, value if isinstance(value, list) else [value])
    is_path = _key(name) in roles.paths
    return [PurePath(text).stem if is_path or "/" in text else text for text in texts]


def _merge_renamed(table: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    for old, new in roles.renamed.items():
        source, target = f"params.{old}", f"params.{new}"
        if source in table:
            merged = table[source]
            if target in table:
                merged = table[target].where(table[target].notna(), merged)
            table = table.drop(columns=source).assign(**{target: merged})
    return table


def _key(column: str) -> str:
    return column.removeprefix("params.")


# -- what varies -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Basis:
    """``varied``: column -> [(value, rows)], the most frequent first; ``constant``: column -> value."""

    varied: Mapping[str, Sequence[tuple[Any, int]]]
    constant: Mapping[str, Any]


def basis(table: pd.DataFrame) -> Basis:
    counts = {name: _value_counts(table[name].tolist()) for name in param_columns(table)}
    return Basis(
        varied={name: values for name, values in counts.items() if len(values) > 1},
        constant={name: values[0][0] for name, values in counts.items() if len(values) == 1},
    )


def _value_counts(values: Iterable[Any]) -> list[tuple[Any, int]]:
    counts: Counter[Token] = Counter()
    first: dict[Token, Any] = {}
    for value in values:
        text = token(value)
        counts[text] += 1
        first.setdefault(text, value)
    return [(first[text], n) for text, n in counts.most_common()]


def lookup(table: pd.DataFrame, columns: Sequence[str], hashids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """param_hashid -> the values of ``columns`` in its first row, in the order of ``hashids``."""
    rows = table.drop_duplicates("param_hashid").set_index("param_hashid")[list(columns)]
    values = {name: dict(zip(rows.index, rows[name].tolist(), strict=True)) for name in columns}
    return {hashid: {name: values[name][hashid] for name in columns} for hashid in hashids}


# -- metrics ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a result table that rows are judged by or that a reader wants to see."""

    column: str
    name: str
    maximize: bool = True
    aggregator: str = "mean"


@dataclass(frozen=True, slots=True)
class Metrics:
    """``primary`` decide the order, the first before the others; ``display`` are printed."""

    primary: tuple[Metric, ...] = ()
    display: tuple[Metric, ...] = ()


#: A metric asked for: its name, or a mapping `{metric, objective, aggregator}`.
Wanted = str | Mapping[str, Any]


def choose_metrics(
    node: str,
    declared: Iterable[Mapping[str, Any]],
    table: pd.DataFrame,
    primary: Iterable[Wanted] | None = None,
    display: Iterable[Wanted] | None = None,
) -> Metrics:
    """The metrics of one node's table.

    Where nothing is asked for, the declared ones; where nothing is declared, all numeric columns, maximised.
    Names that this table lacks are left out: another node's table may have them.
    """
    entries = {metric_column(node, str(entry["metric"]), table.columns): entry for entry in declared}
    names = [name for name in dict.fromkeys([*entries, *metric_columns(table)]) if name in table]
    known = {name: _metric(node, name, entries.get(name, {})) for name in names}
    asked, shown = (_pick(node, names, known) for names in (primary, display))
    flagged = [known[name] for name, entry in entries.items() if name in known and entry.get("primary")]
    listed = [known[name] for name in entries if name in known]
    visible = [metric for metric in listed if entries[metric.column].get("display", True)]
    numeric = [metric for metric in known.values() if is_numeric(table[metric.column])]
    chosen = asked or flagged or listed or numeric
    others = visible if listed else list(known.values())
    return Metrics(_distinct(chosen), _distinct(shown or [*chosen, *others]))


def metric_columns(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith("metrics.")]


def metric_column(node: str, name: str, columns: Collection[str]) -> str:
    """The column that ``name`` (bare, `<node>.<name>` or whole) stands for, whether it exists or not."""
    forms = (name, f"metrics.{node}.{name}", f"metrics.{name}")
    return next((form for form in forms if form.startswith("metrics.") and form in columns), forms[1])


def check_wanted(wanted: Iterable[Wanted], tables: Mapping[str, pd.DataFrame], option: str) -> None:
    """Raises ResultError for a metric that no table has."""
    known = {name for table in tables.values() for name in metric_columns(table)}
    short = {name.removeprefix(f"metrics.{node}.") for node in tables for name in known}
    for name in map(_wanted_name, wanted):
        if not any(metric_column(node, name, known) in known for node in tables):
            hint = did_you_mean(name, known if name.startswith("metrics.") else short)
            raise ResultError(f"no metric {name!r}", where=option, hint=hint)


def _wanted_name(wanted: Wanted) -> str:
    return wanted if isinstance(wanted, str) else str(wanted.get("metric"))


def _pick(node: str, wanted: Iterable[Wanted] | None, known: Mapping[str, Metric]) -> list[Metric]:
    picked = []
    for want in wanted or ():
        column = metric_column(node, _wanted_name(want), known)
        if column in known:
            picked.append(known[column] if isinstance(want, str) else _metric(node, column, want))
    return picked


def _metric(node: str, column: str, entry: Mapping[str, Any]) -> Metric:
    objective, aggregator = entry.get("objective") or "maximize", entry.get("aggregator") or "mean"
    for value, allowed in ((objective, ("maximize", "minimize")), (aggregator, AGGREGATORS)):
        if value not in allowed:
            raise ResultError(f"metric {column}: {value!r} is none of {', '.join(allowed)}")
    name = column.removeprefix(f"metrics.{node}.").removeprefix("metrics.")
    return Metric(column, name, objective == "maximize", aggregator)


def _distinct(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    return tuple({metric.column: metric for metric in metrics}.values())


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers; a few values of other kinds among them do not matter."""
    import numpy as np

    return _has_numeric_dtype(column) or not bool(np.isnan(scores(column)).all())


def _has_numeric_dtype(column: pd.Series) -> bool:
    from pandas.api.types import is_numeric_dtype

    return bool(is_numeric_dtype(column.dtype))


# -- order and groups ------------------------------------------------------------------------------


def rank(table: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """The rows sorted by the metrics, best last; a missing value is the worst, ties go by param_hashid."""
    import numpy as np

    table = table.sort_values([name for name in ("param_hashid", "job_id") if name in table], kind="stable")
    if not metrics:
        return table.reset_index(drop=True)
    keys: list[np.ndarray[Any, Any]] = []
    for metric in reversed(metrics):
        score = scores(table[metric.column])
        missing = np.isnan(score)
        keys += [np.where(missing, 0.0, score if metric.maximize else -score), ~missing]
    return table.iloc[np.lexsort(keys)].reset_index(drop=True)


def scores(column: pd.Series) -> np.ndarray[Any, Any]:
    """The column as floats, NaN where it holds no number."""
    import numpy as np

    if _has_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    return np.array([_number(value) for value in column.tolist()], dtype=float)


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def top(
    ranked: pd.DataFrame, top_k: int | None = None, per_group: int | None = None, group_by: Sequence[str] = ()
) -> pd.DataFrame:
    """The last ``top_k`` rows, of which at most ``per_group`` share their values of ``group_by``."""
    if per_group is not None:
        seen: Counter[Hashable] = Counter()
        keep = []
        for key in reversed(_group_keys(ranked, group_by)):
            seen[key] += 1
            keep.append(seen[key] <= per_group)
        ranked = ranked[keep[::-1]]
    return ranked if top_k is None else ranked.tail(top_k)


def _group_keys(table: pd.DataFrame, group_by: Sequence[str]) -> list[Hashable]:
    return list(zip(*(map(token, table[name].tolist()) for name in group_by), strict=True))


def by_region(ranked: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """region_id -> its rows, in order of names."""
    return {str(name): rows.reset_index(drop=True) for name, rows in ranked.groupby("region_id", sort=True)}


def macro(table: pd.DataFrame, metrics: Sequence[Metric], regions: Sequence[str]) -> pd.DataFrame:
    """One row for each param_hashid that was measured on all ``regions``, its metrics aggregated over them.

    Several rows of one hashid in one region count as their mean, and a missing value stays missing.
    """
    import pandas as pd

    if not metrics:
        return pd.DataFrame(columns=["region_id", "param_hashid"])
    measured = table[table["region_id"].isin(list(regions))]
    values = pd.DataFrame({m.column: scores(measured[m.column]) for m in metrics}, index=measured.index)
    cells = _aggregated(values.groupby([measured["param_hashid"], measured["region_id"]]), "mean")
    per_hashid = cells.groupby(level="param_hashid")
    combined = _aggregated(per_hashid, {m.column: m.aggregator for m in metrics})
    complete = combined[per_hashid.size() == len(regions)]
    return complete.reset_index().assign(region_id=f"macro_{len(regions)}")


def _aggregated(groups: DataFrameGroupBy[Any, Any], how: Any) -> pd.DataFrame:
    """Each group's aggregate, missing where any of its values is missing."""
    whole = groups.count().eq(groups.size(), axis=0)
    return groups.agg(how).where(whole)


def effect(table: pd.DataFrame, column: str, metric: Metric) -> list[tuple[Any, int, float, float]]:
    """(value, rows, mean, best) of the metric for each value of a parameter, best mean last."""
    import numpy as np

    numbers: dict[Token, list[float]] = {}
    first: dict[Token, Any] = {}
    for value, score in zip(table[column].tolist(), scores(table[metric.column]), strict=True):
        if not np.isnan(score):
            text = token(value)
            first.setdefault(text, value)
            numbers.setdefault(text, []).append(float(score))
    best = max if metric.maximize else min
    found = [(first[text], len(n), sum(n) / len(n), best(n)) for text, n in numbers.items()]
    return sorted(found, key=lambda row: row[2], reverse=not metric.maximize)


# -- choosing rows ---------------------------------------------------------------------------------


def check_regions(regions: Iterable[str], known: Collection[str], option: str) -> None:
    for region in regions:
        if region not in known:
            raise ResultError(f"no region {region!r}", where=option, hint=did_you_mean(region, known))

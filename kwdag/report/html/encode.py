"""A result table as compact JSON: one entry a column, numbers as base64 of little-endian arrays.

The other side of `assets/store.js`, which turns it into columns again.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kwdag.metrics import Metric, Metrics, is_numeric, scores
from kwdag.report import varied
from kwdag.report.labels import clean, value_text
from kwdag.roles import Roles, hashed_columns, param_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Texts that repeat less than this on average are stored one by one.
_REPEATED = 2
_UNITS = {"wall": "s", "cpu": "s", "max_rss": "B", "start": "t", "stop": "t"}
_OWN = ("region_id", "param_hashid", "job_id")


def columns(
    table: pd.DataFrame, metrics: Metrics, roles: Roles, node: str, base: str | None = None
) -> list[dict[str, Any]]:
    """One mapping a column, in the order in which the page shows them.

    Keys: `key` (the table's own name), `label`, `group` (id, param, metric, job or other), `kind` (num, cat
    or text), the data, `show`, `good` (1 more is better, -1 less, 0 neither), `primary`, `unit`.
    """
    judged = {m.column: m for m in (*metrics.display, *metrics.primary)}
    hashed = set(hashed_columns(table, roles))
    order = _strongest_first(table, metrics, roles, base)
    found = [_identity(table, name) for name in _OWN if name in table]
    found += [_metric(table, m, m in metrics.primary) for m in judged.values() if m.column in table]
    found += [_param(one, name in hashed) for name, one in order.items()]
    rest = [name for name in table.columns if _is_other(name, judged)]
    return found + [_other(table, name, node, base) for name in rest]


def _strongest_first(
    table: pd.DataFrame, metrics: Metrics, roles: Roles, base: str | None
) -> dict[str, varied.Varied]:
    """All parameters: those that vary and are hashed by influence, then the others."""
    first = {one.column: one for one in varied.strongest_first(table, metrics, roles, base=base)}
    rest = (name for name in param_columns(table) if name not in first)
    return first | {name: varied.read(table, name, base) for name in rest}


def _is_other(name: str, judged: dict[str, Metric]) -> bool:
    return name not in judged and name not in (*_OWN, "node", "dpath") and not name.startswith("params.")


def _identity(table: pd.DataFrame, name: str) -> dict[str, Any]:
    labels = {"region_id": "region", "param_hashid": "hashid", "job_id": "job"}
    texts = [clean(text) for text in table[name].tolist()]
    return _column(name, labels[name], "id", **_texts(texts), show=name != "job_id")


def _metric(table: pd.DataFrame, metric: Metric, primary: bool) -> dict[str, Any]:
    column = table[metric.column]
    data = _floats(scores(column)) if is_numeric(column) else _texts(_shown(column, None))
    good = (1 if metric.maximize else -1) if "f8" in data else 0
    return _column(metric.column, clean(metric.name), "metric", **data, show=True, good=good, primary=primary)


def _param(parameter: varied.Varied, hashed: bool) -> dict[str, Any]:
    """Its levels in order; as numbers too where all are numbers."""
    import numpy as np

    data: dict[str, Any] = {
        "kind": "cat" if parameter.numbers is None else "num",
        "levels": parameter.levels,
        "codes": _packed(parameter.codes, len(parameter.levels)),
    }
    if parameter.numbers is not None:
        numbers = np.full(len(parameter.levels), np.nan)
        numbers[parameter.codes] = parameter.numbers
        data["numbers"] = _base64(numbers, "<f8")
    show = len(parameter.levels) > 1 and hashed
    return _column(parameter.column, clean(parameter.name), "param", **data, show=show, hashed=hashed)


def _other(table: pd.DataFrame, name: str, node: str, base: str | None) -> dict[str, Any]:
    column = table[name]
    group = next((g for g in ("metric", "job") if name.startswith((f"{g}s.", f"{g}."))), "other")
    data = _floats(scores(column)) if is_numeric(column) and len(column) else _texts(_shown(column, base))
    short = name.removeprefix(f"metrics.{node}.").removeprefix("metrics.")
    unit = _UNITS.get(name.removeprefix("job.")) if group == "job" else None
    return _column(name, clean(short), group, **data, show=False, unit=unit)


def _column(key: str, label: str, group: str, **more: Any) -> dict[str, Any]:
    return {"key": clean(key), "label": label, "group": group} | {
        name: value for name, value in more.items() if value not in (None, False)
    }


def _shown(column: pd.Series, base: str | None) -> list[str]:
    missing = column.isna().tolist()
    return ["" if gone else value_text(v, base) for v, gone in zip(column.tolist(), missing, strict=True)]


def _texts(texts: Sequence[str]) -> dict[str, Any]:
    import numpy as np

    levels = sorted(set(texts))
    if len(levels) * _REPEATED > len(texts):
        return {"kind": "text", "texts": list(texts)}
    place = {text: i for i, text in enumerate(levels)}
    codes = np.array([place[text] for text in texts], dtype=np.int64)
    return {"kind": "cat", "levels": levels, "codes": _packed(codes, len(levels))}


def _floats(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"kind": "num", "f8": _base64(values, "<f8")}


def _packed(codes: np.ndarray[Any, Any], size: int) -> dict[str, str]:
    """Whole numbers below ``size``, with the type that they are stored as."""
    kind = "u1" if size <= 2**8 else "u2" if size <= 2**16 else "u4"
    return {kind: _base64(codes, f"<{kind}")}


def _base64(values: np.ndarray[Any, Any], dtype: str) -> str:
    import numpy as np

    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()


floats, packed, texts = _floats, _packed, _texts

"""Which of several finished models of a station is the best, by what evaluate says of them.

How a model is evaluated does not belong here (evaluate.py), nor where it goes (deploying.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.program import read_json, read_lines

SECOND = "accuracy2_val"  # a station without observations has no tau, but people's answers it has
LESS_IS_BETTER = ("val_loss", "leaked_images", "missing_scores")

Metrics = Mapping[str, float | None]


@dataclass(frozen=True)
class Candidate:
    """The files of a finished model; without evaluation if there is no other to compare it with."""

    predictions: Path
    report: Path
    evaluation: Path | None


@dataclass(frozen=True)
class Choice:
    """The best of so many candidates.

    Attributes:
        number: its place among them, from 0.
        decided_by: the metric that decided, or `order`.
        metrics: its value of the metric that was asked for; empty if it was not evaluated.
    """

    best: Candidate
    number: int
    count: int
    decided_by: str
    metrics: Metrics


def candidates(
    predictions: Sequence[str], reports: Sequence[str], evaluations: Sequence[str]
) -> list[Candidate]:
    """The files of each model, put together by their order; a .txt stands for those that it names.

    Raises:
        BadInput: there are more of one kind than of another, or none that tells several models apart.
    """
    tables, pages, sheets = (
        [path for one in given for path in _listed(Path(one))]
        for given in (predictions, reports, evaluations)
    )
    several = len(tables) > 1
    for name, found in {"--report": pages, "--evaluation": sheets}.items():
        needed = name == "--report" or several or found
        if needed and len(found) != len(tables):
            raise BadInput(f"{len(found)} files for {len(tables)} of --predictions", where=name)
    both = list(zip(tables, pages, strict=True))
    if not sheets:
        return [Candidate(table, page, None) for table, page in both]
    return [Candidate(*files, sheet) for files, sheet in zip(both, sheets, strict=True)]


def best(found: Sequence[Candidate], metric: str) -> Choice | None:
    """The model with the greatest metric (the least, of `LESS_IS_BETTER`), the first of equals.

    Without a value counts as worst; if all are, then `SECOND` decides, then their order. None of none.

    Raises:
        BadInput: an evaluation cannot be read, or has no such metric.
    """
    if not found:
        return None
    if found[0].evaluation is None:
        return Choice(found[0], 0, len(found), "order", {})
    all_metrics = [_read(one.evaluation, metric) for one in found if one.evaluation is not None]
    for name in (metric, SECOND):
        values = [_worth(metrics.get(name), name) for metrics in all_metrics]
        if max(values) > -math.inf:
            number, decided_by = values.index(max(values)), name
            break
    else:
        number, decided_by = 0, "order"
    return Choice(found[number], number, len(found), decided_by, {metric: all_metrics[number][metric]})


def _worth(value: float | None, name: str) -> float:
    if value is None:
        return -math.inf
    return -value if name in LESS_IS_BETTER else value


def _read(path: Path, metric: str) -> Metrics:
    """The metric and `SECOND` of an evaluation; None where there is no value."""
    data = read_json(path)
    result = data.get("result") if isinstance(data, dict) else None
    metrics = result.get("metrics") if isinstance(result, dict) else None
    if not isinstance(metrics, dict):
        raise BadInput("has no result.metrics", where=path, hint="evaluate writes them")
    if metric not in metrics:
        raise BadInput(f"has no metric {metric!r}", where=path, hint=did_you_mean(metric, metrics))
    return {name: _number(metrics.get(name), name, path) for name in (metric, SECOND)}


def _number(value: object, name: str, path: Path) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} {value!r} is not a number", where=path)
    return value if math.isfinite(value) else None


def _listed(path: Path) -> list[Path]:
    """The file itself, or those that a .txt names, relative to it: so kwdag hands over what it gathered."""
    if path.suffix != ".txt":
        return [path]
    lines = read_lines(path, otherwise="is no list of files")
    return [path.parent / line.strip() for line in lines if line.strip()]

"""The best evaluation for each metric, of all that an experiment folder holds. Reads only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.geowatch.experiment.inventory import Versioned


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of a metric among the evaluations of one type; of equal ones the first path counts.

    ``of`` is the number of evaluations that have the metric.
    """

    type: str
    metric: str
    objective: str
    value: float  # a count stays an int
    dataset_code: str
    expt: str
    model: str
    of: int
    path: Path


def objectives(kind: str) -> dict[str, str]:
    """Metric -> `maximize` or `minimize`, as the evaluation node of a type declares them, primary ones first.

    >>> objectives("eval_bas_pxl")
    {'salient_AP': 'maximize', 'salient_AUC': 'maximize'}

    A type that no node has (`eval_poly`: no job directory says more) has those of all.
    """
    from pipelines.geowatch import nodes

    evaluations = (nodes.BasPxlEval, nodes.ScPxlEval, nodes.BasPolyEval, nodes.ScPolyEval)
    own = [node for node in evaluations if f"{kind.removeprefix('eval_')}_eval" == node.name]
    return {str(one["metric"]): str(one["objective"]) for node in own or evaluations for one in node.metrics}


def best(rows: Iterable[Versioned]) -> tuple[list[Best], list[str]]:
    """The best row for each type and metric, and a sentence on each evaluation that cannot be read.

    Numbers of an evaluation that are no declared metrics do not count, nor do values that are not finite.
    """
    found: dict[str, list[tuple[Versioned, dict[str, Any]]]] = {}
    problems = []
    for row in rows:
        if row.type == "pkg_fpath" or not row.has_raw:
            continue
        try:
            found.setdefault(row.type, []).append((row, _metrics(row.raw)))
        except (OSError, ValueError) as error:
            problems.append(f"{row.raw}: left out: {error}")
    return [one for kind in sorted(found) for one in _best_of_type(kind, found[kind])], problems


def _best_of_type(kind: str, found: list[tuple[Versioned, dict[str, Any]]]) -> Iterator[Best]:
    for metric, objective in objectives(kind).items():
        values = [(row, metrics[metric]) for row, metrics in found if _is_number(metrics.get(metric))]
        if values:
            sign = -1 if objective == "maximize" else 1
            row, value = min(values, key=lambda one: (sign * one[1], str(one[0].raw)))
            yield Best(
                kind, metric, objective, value, row.dataset_code, row.expt, row.model,
                of=len(values), path=row.raw,
            )  # fmt: skip


def _metrics(path: Path) -> dict[str, Any]:
    """`result.metrics` of an evaluation; raises ValueError when it has none."""
    data = json.loads(path.read_text(encoding="utf-8"))
    result = data.get("result") if isinstance(data, dict) else None
    metrics = result.get("metrics") if isinstance(result, dict) else None
    if not isinstance(metrics, dict):
        raise ValueError("it has no result.metrics")
    return metrics


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""What a user asked for, loaded and checked: the pipeline and the rows of a matrix.

Reads what it is given and nothing below the root; what follows from it is planned in outlook.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kwdag.errors import KwdagError, MatrixError, RootError
from kwdag.matrix import Params, count_rows, expand, load_params
from kwdag.pipeline import Pipeline, Wiring
from kwdag.pipeline_ref import load_pipeline
from kwdag.resolve import check_keys

#: Above this many rows a run asks for leave: most often the grid is larger than was meant.
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, loaded and checked: a pipeline and the rows of a matrix."""

    pipeline: Pipeline
    reference: Any
    wiring: Wiring
    rows: Sequence[Mapping[str, Any]]
    where: Mapping[str, str]
    root: str
    workdir: str
    warnings: tuple[str, ...] = ()


def prepare(
    params: Any,
    root_dpath: str | os.PathLike[str],
    pipeline: Any = None,
    *,
    max_configs: int | None = None,
    max_rows: int = MAX_ROWS,
    counted: Callable[[int], None] | None = None,
) -> Request:
    """Load and check the matrix and the pipeline; nothing below the root is read or written."""
    workdir = os.getcwd()
    root = _checked_root(root_dpath, workdir)
    if params is None:
        raise MatrixError("no params are given", hint="--params takes YAML text or the path of a YAML file")
    loaded = load_params(params)
    reference = _one_pipeline(loaded, pipeline)
    found = load_pipeline(reference)
    wiring = found.wiring()
    where = loaded.keys()
    check_keys(wiring, where)
    if "\n" in root and any(edge.gather for edge in wiring.edges):
        # A manifest is one path a line: its readers would see two.
        raise RootError(f"{root!r} holds a newline, which gathered paths cannot", where="--root_dpath")
    rows, warnings = _rows(loaded, max_configs, max_rows, counted)
    return Request(found, reference, wiring, rows, where, root, workdir, tuple(warnings))


def _one_pipeline(params: Params, given: Any) -> Any:
    if params.pipeline is None and given is None:
        hint = "name it by --pipeline, or by 'pipeline:' in the params"
        raise KwdagError("no pipeline is given", where=params.name, hint=hint)
    if params.pipeline is not None and given is not None and params.pipeline != given:
        raise KwdagError(f"the params name another pipeline, {params.pipeline!r}", where="--pipeline")
    return given if params.pipeline is None else params.pipeline


def _rows(
    params: Params, max_configs: int | None, max_rows: int, counted: Callable[[int], None] | None
) -> tuple[list[dict[str, Any]], list[str]]:
    count = count_rows(params)
    if counted:
        counted(count)
    if count > max_rows:
        raise MatrixError(f"the matrix has {count:,} rows, more than {max_rows:,}", where=params.name,
                          hint=f"if that is meant, add --max_rows={count}")  # fmt: skip
    expansion = expand(params)
    rows = expansion.rows[:max_configs]
    if params.slurm_options:
        rows = [{**row, "__slurm_options__": {**params.slurm_options, **row.get("__slurm_options__", {})}}
                for row in rows]  # fmt: skip
    return rows, list(expansion.warnings)


def _checked_root(root_dpath: str | os.PathLike[str], workdir: str) -> str:
    """The absolute root, if it looks as if it can be written; nothing is made."""
    if not os.fspath(root_dpath):
        raise RootError("the root has no name", where="--root_dpath")
    root = os.path.normpath(os.path.join(workdir, os.path.expanduser(os.fspath(root_dpath))))
    above = root
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        raise RootError(f"{above!r} is a file, not a folder", where="--root_dpath")
    if not os.access(above, os.W_OK | os.X_OK):
        raise RootError(f"cannot write in {above!r}", where="--root_dpath")
    return root

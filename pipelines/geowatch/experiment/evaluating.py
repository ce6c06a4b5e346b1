"""Evaluations of packages: one run of `schedule_evaluation` each, rooted where its predictions belong.

What is scheduled, the user's params say; here they only get the package.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kwdag.yamlio import load_yaml, read_yaml
from pipelines.errors import BadInput
from pipelines.geowatch import package
from pipelines.geowatch.experiment import layout
from pipelines.geowatch.experiment.inventory import Versioned

#: What a package predicts -> the parameter that takes it with its old name, and the pipeline it is for.
TASKS = {
    "saliency": ("bas_pxl.package_fpath", "trk.pxl.model", "bas"),
    "classes": ("sc_pxl.package_fpath", "act.pxl.model", "sc"),
}


def commands(folder: Path, rows: Sequence[Versioned], params: str, options: Sequence[str]) -> list[list[str]]:
    """The command line that evaluates each package.

    Args:
        params: YAML text or the path of a YAML file, without the model that is evaluated.
        options: those of `schedule_evaluation` and of `kwdag schedule`, as they are.

    Raises:
        BadInput: no package, a package that cannot be read, params that are no mapping.
    """
    if not rows:
        raise BadInput("no package here fits", "--model_pattern", "kwdag manager pull packages fetches some")
    if any(word.partition("=")[0].replace("-", "_") == "__root_dpath" for word in options):
        raise BadInput("the layout of the experiment folder says where the results go", "--root_dpath")
    document = _document(params)
    return [_command(folder, row, document, options) for row in rows]


def _document(params: str) -> dict[str, Any]:
    is_file = "\n" not in params and Path(params).is_file()
    data = read_yaml(params).data if is_file else load_yaml(params, "--params").data
    if not isinstance(data, dict) or not isinstance(data.get("matrix", {}), dict):
        raise BadInput("must be a mapping with one `matrix`, or the path of such a file", "--params")
    return data


def _command(folder: Path, row: Versioned, document: dict[str, Any], options: Sequence[str]) -> list[str]:
    recipe, _ = package.load(row.raw)
    new, old, pipeline = TASKS[recipe.task]
    matrix = {key: value for key, value in document.get("matrix", {}).items() if key not in (new, old)}
    mine = {"pipeline": pipeline, **document, "matrix": {**matrix, new: [str(row.raw)]}}
    root = layout.prediction_dpath(folder, row.dataset_code, row.expt, row.model)
    return [
        sys.executable, "-m", "pipelines.geowatch.schedule_evaluation",
        f"--params={json.dumps(mine)}", f"--root_dpath={root}", *options,
    ]  # fmt: skip


def run(command: Sequence[str]) -> int:
    """Run a command line in the foreground; its exit code."""
    return subprocess.run(command, check=False).returncode

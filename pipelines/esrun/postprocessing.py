"""The step after inference: the outputs of a partition's windows become its results.

Joining the results of partitions does not belong here, nor what a post-processor does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset
from pipelines.esrun.project import Project
from pipelines.esrun.result_files import record_rasters, replaced, write_vector
from pipelines.esrun.result_tools import (
    changes_windows,
    features_from,
    is_vector,
    joined_features,
    joined_rasters,
    raster_tool,
    vector_tool,
)
from pipelines.esrun.scratch import Part, Results
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceRaster
from pipelines.esrun.window_results import WindowResult, window_results

NAMED = 3  # windows without output that an error names


def postprocess(
    project: Project, part: Part, source: Dataset, output: Dataset, results: Results,
    allow_missing: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Write result.geojson or results_raster/*.tif of a partition, and then their record, results.json.

    Works from files alone. Older results are replaced together; they stay if anything fails.

    Args:
        source: the dataset that holds the partition's windows.
        output: the one that holds their layer `output`; may be the same.
        results: where to; may be the partition's own folder.
        allow_missing: go on without windows that have no output, and name them in the record.

    Returns:
        the record: partition_id, data_type, windows (how many), missing (their names), files.

    Raises:
        BadInput: windows without output, or a project whose post-processors do not fit its results.
    """
    windows = window_results(part, source, output)
    there = [window for window in windows if window.is_there]
    missing = [window.name for window in windows if not window.is_there]
    if missing and not allow_missing:
        raise BadInput(_lacking(part, missing, len(windows)), where=output.path, hint="run inference first")
    record = {"partition_id": part.id, "windows": len(windows), "missing": sorted(missing)}
    with replaced(results) as fresh:
        if is_vector(project):
            return _vector(project, there, fresh, record)
        return _raster(project, there, fresh, record)


def _vector(
    project: Project, windows: Sequence[WindowResult], fresh: Results, record: dict[str, Any]
) -> dict[str, Any]:
    one, several = (vector_tool(project, stage) for stage in ("process_window", "process_partition"))
    found = [
        features_from(one.process_window, window.request, window.features()) for window in _shown(windows)
    ]
    return write_vector(fresh, joined_features(several.process_partition, found, fresh.rasters), record)


def _raster(
    project: Project, windows: Sequence[WindowResult], fresh: Results, record: dict[str, Any]
) -> dict[str, Any]:
    one, several = (raster_tool(project, stage) for stage in ("process_window", "process_partition"))
    copies = fresh.path / "windows"
    paths = [_of_window(one, window, path, copies) for window in _shown(windows) for path in window.rasters()]
    placed = joined_rasters(several.process_partition, paths, fresh.rasters)
    shutil.rmtree(copies, ignore_errors=True)
    return record_rasters(fresh, placed, record)


def _of_window(tool: PostprocessInterfaceRaster, window: WindowResult, path: Path, copies: Path) -> Path:
    """The file to go on with; a tool may change a copy, so that the step can be run again."""
    if not changes_windows(tool):
        return path
    copy = copies / window.name / path.parent.name / path.name
    copy.parent.mkdir(parents=True)
    shutil.copyfile(path, copy)
    found = tool.process_window(window.request, copy) or copy
    if not Path(found).is_file():
        raise BadInput(f"{type(tool).__name__}.process_window returned {found!r:.80}, which is no file")
    return Path(found)


def _shown(windows: Iterable[WindowResult]) -> Iterable[WindowResult]:
    from tqdm import tqdm

    return tqdm(windows, desc="postprocess", unit="window", disable=None, leave=False)


def _lacking(part: Part, missing: Sequence[str], count: int) -> str:
    more = "" if len(missing) <= NAMED else ", ..."
    return (
        f"{len(missing)} of {count} windows of {part.id} have no output ({', '.join(missing[:NAMED])}{more})"
    )

"""The last step: the results of all partitions become one.

What a partition's results are made of does not belong here.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.project import Project
from pipelines.esrun.result_files import Stored, natural, record_rasters, replaced, stored, write_vector
from pipelines.esrun.result_tools import (
    is_vector,
    joined_features,
    joined_rasters,
    raster_tool,
    vector_tool,
)
from pipelines.esrun.scratch import Results

STAGE = "process_dataset"


def combine(project: Project, results: Sequence[Results], out: Results) -> dict[str, Any]:
    """Write result.geojson or results_raster/*.tif in ``out``, and then their record, results.json.

    Partitions are taken in the order of their numbers, however they are given. Older results in ``out`` are
    replaced together; they stay if anything fails. A result without a feature or a pixel that is not nodata,
    as where no image meets the request, is one too, with a line of warning.

    Returns:
        the record: partitions (their ids), data_type, files.

    Raises:
        BadInput: no partitions, one of them twice, or one without results.
    """
    parts = sorted((stored(one) for one in results), key=lambda one: natural(one.id))
    _check(parts, project, vector := is_vector(project))
    record = {"partitions": [part.id for part in parts]}
    with replaced(out) as fresh:
        if vector:
            method = vector_tool(project, STAGE).process_dataset
            found = joined_features(method, [part.features() for part in parts], fresh.rasters)
            if not found:
                _warn("the combined result has no features")
            return write_vector(fresh, found, record)
        paths = [path for part in parts for path in part.rasters()]
        placed = joined_rasters(raster_tool(project, STAGE).process_dataset, paths, fresh.rasters)
        if not placed:
            print("warning: post-processing yields no combined raster", file=sys.stderr)
        elif not any(map(_has_data, placed)):
            _warn("the combined result is nodata everywhere")
        return record_rasters(fresh, placed, record)


def _has_data(path: Path) -> bool:
    """Whether any pixel of a GeoTIFF is not nodata; read block by block."""
    import rasterio

    with rasterio.open(path) as image:
        return any(image.dataset_mask(window=place).any() for _, place in image.block_windows(1))


def _warn(text: str) -> None:
    print(f"warning: {text}: no image meets the request, or no class is sure enough", file=sys.stderr)


def _check(parts: Sequence[Stored], project: Project, vector: bool) -> None:
    if not parts:
        raise BadInput("has no results of partitions to combine", where=project.path)
    twice = [name for name, count in Counter(part.id for part in parts).items() if count > 1]
    if twice:
        raise BadInput(f"results of {twice[0]} are given twice", where=project.path)
    for part in parts:
        if vector and not part.results.vector.is_file():
            raise BadInput(
                f"{part.id} has no result.geojson", where=part.results.path, hint="post-process it again"
            )

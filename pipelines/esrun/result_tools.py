"""The post-processors of a project, one for each stage, and the calls to them.

What is handed to them and where it is kept does not belong here.
"""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.esrun.class_path import build
from pipelines.esrun.features import Feature, FeatureCollection
from pipelines.esrun.project import STAGES, Project
from pipelines.esrun.tools.postprocessors.combine_geojson import CombineGeojson
from pipelines.esrun.tools.postprocessors.combine_geotiff import CombineGeotiff
from pipelines.esrun.tools.postprocessors.noop_raster import NoopRaster
from pipelines.esrun.tools.postprocessors.postprocess_interface import (
    PostprocessInterface,
    PostprocessInterfaceRaster,
    PostprocessInterfaceVector,
)

SECTION = "postprocessing_strategies"
KINDS = {"RASTER": PostprocessInterfaceRaster, "VECTOR": PostprocessInterfaceVector}
T = TypeVar("T", bound=PostprocessInterface)


def is_vector(project: Project) -> bool:
    """Whether results are features: as `inference_results_config.data_type` says, RASTER if it does not."""
    kind = project.section("inference_results_config").get("data_type", "RASTER")
    if kind not in KINDS:
        raise BadInput(
            f"inference_results_config.data_type: must be RASTER or VECTOR, not {kind!r}",
            where=project.config_fpath,
        )
    return bool(kind == "VECTOR")


def vector_tool(project: Project, stage: str) -> PostprocessInterfaceVector:
    """The post-processor of a stage; without one, all features are put together as they are."""
    return _tool(project, stage, PostprocessInterfaceVector, lambda: CombineGeojson("result"))


def raster_tool(project: Project, stage: str) -> PostprocessInterfaceRaster:
    """The post-processor of a stage; without one, windows are kept and combined with their own nodata."""
    if stage == STAGES[0]:
        return _tool(project, stage, PostprocessInterfaceRaster, NoopRaster)
    found = _tool(project, stage, PostprocessInterfaceRaster, lambda: CombineGeotiff(nodata_value=None))
    if isinstance(found, CombineGeotiff) and found.nodata_value in _class_values(project):
        _warn(f"warning: {project.config_fpath}: {SECTION}.{stage}: nodata_value {found.nodata_value} hides"
              " the class of that value")  # fmt: skip
    return found


def changes_windows(tool: PostprocessInterfaceRaster) -> bool:
    """Whether the tool does anything with the file of a window."""
    return type(tool).process_window is not PostprocessInterfaceRaster.process_window


def features_from(method: Callable[..., Any], *args: Any) -> FeatureCollection:
    """What a vector post-processor returns.

    Raises:
        BadInput: something else.
    """
    found = method(*args)
    if not isinstance(found, FeatureCollection) or not all(isinstance(one, Feature) for one in found):
        raise BadInput(f"{_called(method)} returned {found!r:.80}, not a FeatureCollection")
    return found


def joined_features(
    method: Callable[..., Any], results: Sequence[FeatureCollection], folder: Path
) -> FeatureCollection:
    """The same of a stage over several results; a method that takes a folder gets one for its own files."""
    try:
        inspect.signature(method).bind(results, folder)
    except TypeError:
        return features_from(method, results)
    return features_from(method, results, folder)


def joined_rasters(method: Callable[..., Any], paths: Sequence[Path], folder: Path) -> list[Path]:
    """The files in ``folder`` that a raster post-processor has made; what it made elsewhere is copied there.

    Raises:
        BadInput: it returned no list of files that exist, or two of one name.
    """
    found = method(paths, folder)
    if not isinstance(found, list | tuple) or not all(Path(path).is_file() for path in found):
        raise BadInput(f"{_called(method)} returned {found!r:.80}, not a list of files")
    placed = []
    for path in map(Path, found):
        inside = path if path.is_relative_to(folder) else folder / path.name
        if inside != path and inside.exists():
            raise BadInput(f"{_called(method)} returned two files of the name {path.name}")
        if inside != path:
            shutil.copyfile(path, inside)
        placed.append(inside)
    return placed


def _called(method: Callable[..., Any]) -> str:
    return getattr(method, "__qualname__", repr(method))


def _tool(project: Project, stage: str, kind: type[T], default: Callable[[], T]) -> T:
    section = project.section(SECTION)
    for name in section:
        if name not in STAGES:
            hint = did_you_mean(str(name), STAGES)
            raise BadInput(f"{SECTION}: no stage {name!r}", where=project.config_fpath, hint=hint)
    if section.get(stage) is None:
        return default()
    key = f"{SECTION}.{stage}"
    found = build(_at_home(section[stage], project), PostprocessInterface, key, project.config_fpath)
    if not isinstance(found, kind):
        data_type = next(name for name, one in KINDS.items() if one is kind)
        raise BadInput(
            f"{key}: {type(found).__name__} is no {kind.__name__}, as results of data_type {data_type} need",
            where=project.config_fpath,
        )
    return found


def _at_home(spec: Any, project: Project) -> Any:
    """The mask of a CombineGeotiff lies in the project, wherever its user stands."""
    args = spec.get("init_args") if isinstance(spec, Mapping) else None
    if not isinstance(args, Mapping) or not isinstance(args.get("mask_path"), str):
        return spec
    return {**spec, "init_args": {**args, "mask_path": str(project.path / args["mask_path"])}}


def _class_values(project: Project) -> set[Any]:
    fields = project.section("inference_results_config").get("classification_fields") or []
    rows = [row for one in fields if isinstance(one, Mapping) for row in one.get("allowed_values") or []]
    return {row["value"] for row in rows if isinstance(row, Mapping) and "value" in row}


@lru_cache(maxsize=64)
def _warn(text: str) -> None:
    """Once, however many partitions there are."""
    print(text, file=sys.stderr)

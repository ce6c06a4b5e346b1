"""The same requests for olmoearth-runner's partitioners and ours: the same cells and windows.

Runs where KWDAG_RSLEARN_PYTHON names a Python that has olmoearth-runner.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import subprocess
from math import cos, floor, sin
from pathlib import Path
from typing import Any

import pytest
from shapely import from_wkt
from shapely.geometry import MultiPoint, MultiPolygon, Point, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

from pipelines.esrun.features import Feature, collection
from pipelines.esrun.projection import Projection

OTHER = os.environ.get("KWDAG_RSLEARN_PYTHON")
SCRIPT = Path(__file__).with_name("olmoearth_cells.py")
TIMES = {"oe_start_time": "2020-01-01T00:00:00+00:00", "oe_end_time": "2020-02-01T00:00:00+00:00"}
GRID = ("grid_partitioner", "GridPartitioner")
FIXED = ("fixed_window_partitioner", "FixedWindowPartitioner")
CHUNK = ("chunk_partitioner", "ChunkPartitioner")
REPROJECTION = ("reprojection_partitioner", "ReprojectionPartitioner")
CELLS, WINDOWS = "partition_request_geometry", "prepare_window_geometries"
TEN_METRES = {"crs": "EPSG:32613", "x_resolution": 10, "y_resolution": -10}
Case = tuple[str, str, dict[str, Any], str, list[BaseGeometry]]

pytestmark = pytest.mark.skipif(
    not OTHER, reason="KWDAG_RSLEARN_PYTHON names no Python with olmoearth-runner"
)


def places(seed: int) -> list[BaseGeometry]:
    """Shapes of every kind, on both hemispheres, small against a UTM zone."""
    chance = random.Random(seed)
    x, y = chance.uniform(-170, 170), chance.uniform(-60, 60)
    corners = sorted((chance.uniform(0, 6.28), chance.uniform(0.02, 0.2)) for _ in range(6))
    star = Polygon([(x + r * cos(a), y + r * sin(a)) for a, r in corners])
    star = star if star.is_valid else star.convex_hull
    flat = box(x, y, x + 0.11, y + 0.07)
    return [
        Point(x, y), star, flat, MultiPolygon([flat, box(x + 0.2, y, x + 0.23, y + 0.3)]),
        MultiPoint([(x, y), (x + 0.05, y - 0.02)]),
    ]  # fmt: skip


def cases() -> list[Case]:
    found: list[Case] = []
    for seed in range(12):
        shapes = places(seed)
        areas = [one for one in shapes if one.area > 0]
        for size, overlap, clip in ((0.25, None, False), (0.125, 0.03125, False), (0.125, None, True)):
            args = {"grid_size": size, "overlap_size": overlap, "clip": clip}
            found.append((*GRID, args, CELLS, areas))
        for overlap, clip in ((None, False), (32, False), (None, True)):
            args = {"grid_size": 256, "overlap_size": overlap, "clip": clip, "use_utm": True,
                    "output_projection": TEN_METRES}  # fmt: skip
            found.append((*GRID, args, WINDOWS, areas))
        for size in (1, 7, 128):
            args = {"window_size": size, "use_utm": True, "output_projection": TEN_METRES}
            found.append((*FIXED, args, WINDOWS, shapes))
        found.append((*CHUNK, {"num_geometries_per_partition": 2}, CELLS, shapes))
        found.append((*REPROJECTION, {"use_utm": True, "output_projection": TEN_METRES}, WINDOWS, shapes))
    exact = box(-106, 40, -105.5, 40.25)  # corners on corners of cells
    found += [(*GRID, {"grid_size": 0.25}, CELLS, [exact]), (*GRID, {"grid_size": 0.5}, CELLS, [exact])]
    return found


ALL = cases()


@pytest.fixture(scope="module")
def answers() -> list[Any]:
    return asked_there(ALL)


def asked_there(cases: list[Case]) -> list[Any]:
    asked = [(*case[:4], request(case[4])) for case in cases]
    told = subprocess.run([str(OTHER), SCRIPT], input=json.dumps(asked), capture_output=True, text=True)
    assert told.returncode == 0, told.stderr[-2000:]
    found: list[Any] = json.loads(told.stdout)
    return found


def request(shapes: list[BaseGeometry]) -> dict[str, Any]:
    listed = [{"type": "Feature", "geometry": mapping(one), "properties": TIMES} for one in shapes]
    return {"type": "FeatureCollection", "features": listed}


def ours(case: Case) -> list[tuple[str, float, float, BaseGeometry]]:
    module, name, args, method, shapes = case
    kind = getattr(importlib.import_module(f"pipelines.esrun.tools.partitioners.{module}"), name)
    where = args.get("output_projection")
    args = {key: value for key, value in args.items() if value is not None}
    tool = kind(**args if where is None else {**args, "output_projection": Projection(**where)})
    answer = getattr(tool, method)(collection(Feature(one, TIMES) for one in shapes))
    if method == CELLS:
        return [("EPSG:4326", 1, 1, one.geometry) for part in answer for one in part]
    return [
        (placed.projection.crs, placed.projection.x_resolution, placed.projection.y_resolution, placed.shape)
        for _, placed in answer
    ]


@pytest.mark.parametrize("number", range(len(ALL)))
def test_the_same_cells(number, answers):
    case, theirs = ALL[number], answers[number]
    assert isinstance(theirs, list), theirs
    expected = sorted(((crs, x, y, whole(case, from_wkt(text))) for crs, x, y, text in theirs), key=order)
    found = sorted(ours(case), key=order)
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    for mine, other in zip(found, expected, strict=True):
        assert mine[3].equals_exact(other[3], 1e-6, normalize=True), (mine[3].wkt, other[3].wkt)


def whole(case: Case, shape: BaseGeometry) -> BaseGeometry:
    """Theirs leave windows between pixels and let the runner cut off the fractions; ours go left and up."""
    if case[1] != "FixedWindowPartitioner":
        return shape
    left, top, size = floor(shape.bounds[0]), floor(shape.bounds[1]), case[2]["window_size"]
    return box(left, top, left + size, top + size)


def order(one: tuple[str, float, float, BaseGeometry]) -> tuple[Any, ...]:
    return (one[0], *(round(value, 3) for value in one[3].bounds), one[3].geom_type)


def test_cells_too_many_of_theirs_hold_next_to_nothing():
    """At a tenth of a degree, which no float holds: what they have besides ours only touches the request."""
    chance = random.Random(1)
    tenth: list[Case] = []
    for _ in range(60):
        x, y = round(chance.uniform(-60, 60), 2), round(chance.uniform(-60, 60), 2)
        shape = box(x, y, round(x + chance.uniform(0.05, 0.9), 2), round(y + chance.uniform(0.05, 0.9), 2))
        tenth.append((*GRID, {"grid_size": 0.1}, CELLS, [shape]))
    more = 0
    for case, theirs in zip(tenth, asked_there(tenth), strict=True):
        (shape,) = case[4]
        mine = [one[3] for one in ours(case)]
        others = [from_wkt(text) for *_, text in theirs]
        full = [one for one in others if one.intersection(shape).area > 1e-9]
        assert len(mine) == len(full)
        more += len(others) - len(mine)
        for cell in full:
            assert any(one.equals_exact(cell, 1e-9, normalize=True) for one in mine)
    assert more > 0

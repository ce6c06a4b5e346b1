"""From the windows' outputs to the results of partitions and then to one, from files alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from shapely import Point, box
from shapely.geometry import mapping

from pipelines.errors import BadInput
from pipelines.esrun.combining import combine
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.features import Feature, collection, read_features, write_features
from pipelines.esrun.postprocessing import postprocess
from pipelines.esrun.project import load_project
from pipelines.esrun.projection import Projection, to_lonlat
from pipelines.esrun.result_tools import _warn
from pipelines.esrun.scratch import OUTPUT_LAYER, Results, Scratch

UTM = Projection("EPSG:32613", 10, -10)
AT = (45_000, -440_000)  # pixels of UTM 13 N, in the Rocky Mountains
TOOLS = "esrun.runner.tools.postprocessors"
GEOTIFF = f"{TOOLS}.combine_geotiff.CombineGeotiff"
USERS = """
import rasterio
from pipelines.esrun.features import Feature, collection
from esrun_interface import PostprocessInterfaceRaster, PostprocessInterfaceVector
class InPlace(PostprocessInterfaceRaster):
    def process_window(self, window_request, window_result_path):
        with rasterio.open(window_result_path, "r+") as dataset:
            dataset.write(dataset.read() + window_request.properties["add"])
class Elsewhere(PostprocessInterfaceRaster):
    def process_window(self, window_request, window_result_path):
        return window_result_path.rename(window_result_path.with_name("mine.tif"))
    def process_partition(self, paths, output_dir):
        return list(paths)
class Counting(PostprocessInterfaceVector):
    def process_partition(self, results, output_dir):
        (output_dir / "notes.txt").write_text(str(len(results)))
        told = {"count": len(results)}
        return collection(Feature(one.geometry, told) for result in results for one in result)
class Nothing(PostprocessInterfaceVector, PostprocessInterfaceRaster):
    def process_window(self, *args): pass
    def process_partition(self, *args): pass
"""


class Case:
    """A project and a scratch directory in which inference is done."""

    def __init__(self, folder, vector=False):
        self.scratch = Scratch(folder / "scratch")
        self.dataset = Dataset(self.scratch.dataset)
        self.path = folder / "project"
        self.path.mkdir()
        self.config = {"inference_results_config": {"data_type": "VECTOR" if vector else "RASTER"}}
        self.results = Results(self.scratch.results)
        self.say()

    def say(self, **strategies):
        """Write esrun.yaml with class_path (and init_args) a stage."""
        for stage, spec in strategies.items():
            class_path, *args = spec if isinstance(spec, tuple) else (spec,)
            entry = {"class_path": class_path, "init_args": args[0] if args else None}
            self.config.setdefault("postprocessing_strategies", {})[stage] = entry
        (self.path / "esrun.yaml").write_text(yaml.safe_dump(self.config))

    @property
    def project(self):
        return load_project(self.path)

    def ask(self, part, requests, windows):
        """Write a partition: its request, and windows by name, bounds and number of their request."""
        part = self.scratch.partition(part)
        write_features(part.request, collection(requests))
        found = []
        for name, bounds, number in windows:
            bounds = tuple(int(b) for b in np.add(bounds, AT * 2))
            self.dataset.add(Window(part.group, name, UTM, bounds))
            told = {"oe_window_name": name, "oe_window_crs": UTM.crs, "oe_window_bounds": list(bounds)}
            place = to_lonlat(box(*bounds), UTM)
            found.append(Feature(place, {**requests[number].properties, **told}, requests[number].id))
        write_features(part.windows, collection(found))
        return part

    def window(self, part, name):
        return self.dataset.window(part.group, name)

    def raster(self, part, name, values, band="label"):
        window = self.window(part, name)
        path = self.dataset.raster_fpath(window, OUTPUT_LAYER, [band])
        path.parent.mkdir(parents=True)
        with rasterio.open(
            path, "w", driver="GTiff", count=1, height=window.size[0], width=window.size[1], dtype="uint8",
            crs=UTM.crs, transform=UTM.transform(window.bounds), nodata=0,
        ) as dataset:  # fmt: skip
            dataset.write(np.broadcast_to(np.uint8(values), window.size), 1)
        self.dataset.complete(window, OUTPUT_LAYER)

    def vector(self, part, name, *features, **more):
        window = self.window(part, name)
        path = self.dataset.vector_fpath(window, OUTPUT_LAYER)
        path.parent.mkdir(parents=True)
        listed = [
            {"type": "Feature", "geometry": mapping(shape), "properties": told} for shape, told in features
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": listed, **more}))
        self.dataset.complete(window, OUTPUT_LAYER)

    def postprocess(self, part, **more):
        return postprocess(self.project, part, self.dataset, self.dataset, Results(part.path), **more)

    def combine(self, *parts):
        return combine(self.project, [Results(part.path) for part in parts], self.results)


@pytest.fixture
def users(monkeypatch, tmp_path):
    """Modules of the user's own on PYTHONPATH."""
    folder = tmp_path / "users"
    folder.mkdir()
    (folder / "users_postprocessors.py").write_text(USERS)
    interface = "from pipelines.esrun.tools.postprocessors.postprocess_interface import *\n"
    (folder / "esrun_interface.py").write_text(interface)
    monkeypatch.syspath_prepend(folder)
    yield
    for name in ("users_postprocessors", "esrun_interface"):
        sys.modules.pop(name, None)


def lonlat(x, y):
    return to_lonlat(Point(x + AT[0], y + AT[1]), UTM)


def area(left, top, right, bottom):
    return to_lonlat(box(left + AT[0], top + AT[1], right + AT[0], bottom + AT[1]), UTM)


def pixels(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.fixture
def two(tmp_path):
    """Two partitions of two windows each that overlap by 4 pixels, everything with the window's number."""
    case = Case(tmp_path)
    requests = [Feature(area(0, 0, 28, 10), {"name": "all"}, 7)]
    parts = []
    for n, lefts in enumerate(((0, 6), (12, 18))):
        names = [(f"w{left}", (left, 0, left + 10, 10), 0) for left in lefts]
        parts.append(case.ask(f"partition_{n + 9}", requests, names))
        for left, (name, _, _) in zip(lefts, names, strict=True):
            case.raster(parts[-1], name, 1 + left // 6)
    return case, parts


def test_rasters_become_one_without_strategies(two):
    case, parts = two
    records = [case.postprocess(part) for part in parts]
    assert records[0] == {
        "partition_id": "partition_9", "data_type": "RASTER", "windows": 2, "missing": [],
        "files": ["results_raster/result_epsg32613_0.tif"],
    }  # fmt: skip
    found = case.combine(*reversed(parts))
    assert found["partitions"] == ["partition_9", "partition_10"]
    [path] = case.results.rasters.iterdir()
    # In rows by the edge and in the middle alike, windows meet in the middle of their overlap.
    assert (pixels(path) == np.repeat([1, 2, 3, 4], [8, 6, 6, 8])).all()
    assert {one.name for one in case.results.path.iterdir()} == {"results_raster", "results.json"}


def test_as_programs_in_folders_of_their_own_the_same_bytes(two, tmp_path):
    case, parts = two
    case.say(process_window=f"{TOOLS}.noop_raster.NoopRaster", process_partition=GEOTIFF,
             process_dataset=(GEOTIFF, {"max_pixels_per_dimension": 15}))  # fmt: skip
    output = tmp_path / "output"
    shutil.copytree(case.dataset.path, output)
    for path in case.dataset.path.glob("windows/*/*/layers"):
        shutil.rmtree(path)
    listing = tmp_path / "gathered.txt"
    for n, part in enumerate(reversed(parts)):
        program(
            "postprocess", f"--project_path={case.path}", f"--partition_dpath={part.path}",
            f"--dataset={case.dataset.path}", f"--output={output}", f"--dst={tmp_path / f'job{n}/results'}",
            f"--summary_fpath={tmp_path / f'job{n}.json'}",
        )  # fmt: skip
    listing.write_text("job0/results\n" + f"{tmp_path / 'job1/results'}\n")
    program("combine", f"--project_path={case.path}", f"--results={listing}", f"--dst={tmp_path / 'end'}",
            f"--summary_fpath={tmp_path / 'end.json'}")  # fmt: skip
    assert json.loads((tmp_path / "end.json").read_text())["partitions"] == ["partition_9", "partition_10"]
    assert json.loads((tmp_path / "job0.json").read_text())["windows"] == 2
    shutil.copytree(output / "windows", case.dataset.path / "windows", dirs_exist_ok=True)
    for part in parts:
        case.postprocess(part)
    case.combine(*parts)
    files = sorted(path.relative_to(tmp_path / "end") for path in (tmp_path / "end").rglob("*.*"))
    assert [path.name for path in files] == [
        "results.json", "result_epsg32613_0.tif", "result_epsg32613_1.tif",
    ]  # fmt: skip
    for path in files:
        assert (tmp_path / "end" / path).read_bytes() == (case.results.path / path).read_bytes()


def program(name, *args, code=0, cwd=None):
    command = [sys.executable, "-m", f"pipelines.esrun.{name}", *args]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=here)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_points_get_what_was_asked_of_their_own_window(tmp_path):
    case = Case(tmp_path, vector=True)
    case.say(process_window=f"{TOOLS}.combine_geojson.CombineGeojson")
    places = [lonlat(5, 5), lonlat(5.4, 5.4), lonlat(40, 5)]
    requests = [Feature(place, {"kind": "lake", "a": 0}) for place in places]
    bounds = [(0, 0, 10, 10), (1, 1, 11, 11), (35, 0, 45, 10)]
    part = case.ask("partition_0", requests, [(f"w{n}", b, n) for n, b in enumerate(bounds)])
    for n, b in enumerate(bounds):
        case.vector(part, f"w{n}", (area(*b), {"a": 1, "n": n}))
    case.postprocess(part)
    record = case.combine(part)
    found = read_features(case.results.vector)
    assert record["features"] == 3
    assert [dict(one.properties) for one in found] == [{"kind": "lake", "a": 1, "n": n} for n in range(3)]
    assert [one.geometry for one in found] == places


def test_features_in_pixels_as_rslearn_writes_them(tmp_path):
    case = Case(tmp_path, vector=True)
    part = case.ask("partition_0", [Feature(lonlat(5, 5))], [("w", (0, 0, 10, 10), 0)])
    shape = box(AT[0], AT[1], AT[0] + 10, AT[1] + 10)
    case.vector(part, "w", (shape, {"label": "lake"}), properties=UTM.to_json())
    case.postprocess(part)
    [found] = read_features(Results(part.path).vector)
    assert found.geometry.equals_exact(area(0, 0, 10, 10), 1e-9)
    assert found.properties == {"label": "lake"}


def test_no_features_at_all_are_a_result(tmp_path):
    case = Case(tmp_path, vector=True)
    part = case.ask("partition_0", [Feature(lonlat(5, 5))], [("w", (0, 0, 10, 10), 0)])
    case.vector(part, "w")
    assert case.postprocess(part)["features"] == 0
    assert case.combine(part)["features"] == 0
    assert len(read_features(case.results.vector, need=False)) == 0


def test_windows_without_output_are_named_or_allowed(two):
    case, parts = two
    shutil.rmtree(case.dataset.layer_dpath(case.window(parts[0], "w6"), OUTPUT_LAYER))
    with pytest.raises(BadInput, match=r"1 of 2 windows of partition_9 have no output \(w6\)"):
        case.postprocess(parts[0])
    assert sorted(path.name for path in parts[0].path.iterdir()) == ["request.geojson", "windows.geojson"]
    record = case.postprocess(parts[0], allow_missing=True)
    assert (record["windows"], record["missing"]) == (2, ["w6"])
    [path] = Results(parts[0].path).rasters.iterdir()
    assert pixels(path).shape == (10, 10)


def test_a_partition_without_results_is_an_error_that_names_it(two):
    case, parts = two
    case.postprocess(parts[0])
    with pytest.raises(BadInput, match="partition_10: has no results"):
        case.combine(*parts)
    assert not case.results.path.exists()
    with pytest.raises(BadInput, match="results of partition_9 are given twice"):
        case.combine(parts[0], parts[0])
    with pytest.raises(BadInput, match="no results of partitions"):
        case.combine()


def test_results_that_were_being_moved_when_a_run_was_killed_are_none(two):
    case, parts = two
    for part in parts:
        case.postprocess(part)
    (parts[0].path / "results.json").unlink()
    assert len(case.combine(*parts)["partitions"]) == 2  # as the original runner leaves it
    (parts[0].path / ".1234567.results.json").mkdir()
    with pytest.raises(BadInput, match="partition_9: has no results"):
        case.combine(*parts)


def test_older_results_go_together_and_stay_when_a_run_fails(two, monkeypatch):
    case, parts = two
    case.say(process_partition=(GEOTIFF, {"max_pixels_per_dimension": 4}))
    case.postprocess(parts[0])
    results = Results(parts[0].path)
    before = {path: path.read_bytes() for path in results.path.rglob("*.*")}
    assert len(before) == 15  # tiles of 4 x 4, the record and the partition's own two files
    results.vector.write_text("of an older project")
    case.say(process_partition=(GEOTIFF, {"nodata_value": 999}))
    with pytest.raises(BadInput, match="nodata_value"):
        case.postprocess(parts[0])
    assert {path: path.read_bytes() for path in results.path.rglob("*.tif")}.items() <= before.items()
    case.say(process_partition=GEOTIFF)
    case.postprocess(parts[0])
    assert [path.name for path in results.rasters.iterdir()] == ["result_epsg32613_0.tif"]
    assert not results.vector.exists()


def test_a_tool_that_changes_files_in_place_changes_copies(two, users):
    case, parts = two
    case.say(process_window="users_postprocessors.InPlace")
    request = read_features(parts[0].request).features[0]
    for path in (parts[0].request, parts[0].windows):
        told = [
            Feature(one.geometry, {**one.properties, "add": 10}, request.id) for one in read_features(path)
        ]
        write_features(path, collection(told))
    for _ in range(2):
        case.postprocess(parts[0])
        [path] = Results(parts[0].path).rasters.iterdir()
        assert set(pixels(path).ravel()) == {11, 12}
    assert not (parts[0].path / "windows").exists()


def test_files_that_a_tool_keeps_elsewhere_come_along(two, users):
    case, parts = two
    mine = "users_postprocessors.Elsewhere"
    case.say(process_window=mine, process_partition=mine)
    with pytest.raises(
        BadInput, match=r"Elsewhere\.process_partition returned two files of the name mine\.tif"
    ):
        case.postprocess(parts[0])
    lone = case.ask("partition_3", [Feature(lonlat(5, 5))], [("w", (0, 0, 10, 10), 0)])
    case.raster(lone, "w", 5)
    assert case.postprocess(lone)["files"] == ["results_raster/mine.tif"]


def test_a_vector_tool_may_take_a_folder(tmp_path, users):
    case = Case(tmp_path, vector=True)
    case.say(process_partition="users_postprocessors.Counting")
    part = case.ask("partition_0", [Feature(lonlat(5, 5))], [("w", (0, 0, 10, 10), 0)])
    case.vector(part, "w", (lonlat(1, 1), {}))
    case.postprocess(part)
    assert (Results(part.path).rasters / "notes.txt").read_text() == "1"
    assert [one.properties for one in read_features(Results(part.path).vector)] == [{"count": 1}]


@pytest.mark.parametrize("stage", ["process_window", "process_partition"])
def test_a_tool_that_returns_nothing_is_told_so(tmp_path, users, stage):
    case = Case(tmp_path, vector=True)
    case.say(**{stage: "users_postprocessors.Nothing"})
    part = case.ask("partition_0", [Feature(lonlat(5, 5))], [("w", (0, 0, 10, 10), 0)])
    case.vector(part, "w")
    with pytest.raises(BadInput, match=rf"Nothing\.{stage} returned None, not a FeatureCollection"):
        case.postprocess(part)


def test_noop_partitions_combine_to_nothing_with_a_warning(two, capsys):
    case, parts = two
    case.say(process_partition=f"{TOOLS}.noop_raster.NoopRaster", process_dataset=GEOTIFF)
    for part in parts:
        assert case.postprocess(part)["files"] == []
    assert case.combine(*parts)["files"] == []
    assert capsys.readouterr().err == "warning: post-processing yields no combined raster\n"


def test_nodata_that_is_a_class_is_warned_of_once(two, capsys):
    case, parts = two
    _warn.cache_clear()
    rows = [{"value": n, "label": f"c{n}", "color": [n, n, n]} for n in range(3)]
    case.config["inference_results_config"]["classification_fields"] = [
        {"property_name": "label", "band_index": 0, "allowed_values": rows}
    ]
    case.say(process_partition=GEOTIFF, process_dataset=(GEOTIFF, {"nodata_value": 255}))
    for part in parts:
        case.postprocess(part)
    case.combine(*parts)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ") and "process_partition: nodata_value 0 hides the class" in line


def test_a_mask_lies_in_the_project(two, tmp_path, monkeypatch):
    case, parts = two
    monkeypatch.chdir(tmp_path)
    write_features(case.path / "mask.geojson", collection([Feature(area(0, 0, 28, 5))]))
    case.say(process_dataset=(GEOTIFF, {"mask_path": "mask.geojson"}))
    for part in parts:
        case.postprocess(part)
    case.combine(*parts)
    [path] = case.results.rasters.iterdir()
    assert (pixels(path)[:5] > 0).all() and (pixels(path)[5:] == 0).all()


BAD_STRATEGIES = [
    ({"process_windows": {"class_path": "x"}}, "no stage 'process_windows'; did you mean 'process_window'?"),
    (
        {"process_partition": {"class_path": f"{TOOLS}.combine_geojson.CombineGeojson"}},
        "CombineGeojson is no PostprocessInterfaceRaster, as results of data_type RASTER need",
    ),
    (
        {"process_partition": {"class_path": f"{TOOLS}.combine_geotiff.CombineGeotif"}},
        "geotiff.CombineGeotiff'",
    ),
    ({"process_partition": {"class_path": GEOTIFF, "init_args": {"nodata": 1}}}, "'nodata'"),
    ({"process_partition": {"class_path": "pathlib.Path"}}, "pathlib.Path is no PostprocessInterface"),
]


@pytest.mark.parametrize(("strategies", "words"), BAD_STRATEGIES)
def test_strategies_that_cannot_be(two, strategies, words):
    case, parts = two
    case.config["postprocessing_strategies"] = strategies
    case.say()
    with pytest.raises(BadInput, match=r"esrun\.yaml") as caught:
        case.postprocess(parts[0])
    assert words in str(caught.value)
    assert not Results(parts[0].path).rasters.exists()


def test_bad_input_is_a_line_and_leaves_nothing(two, tmp_path):
    case, parts = two
    shutil.rmtree(case.dataset.path / "windows")
    error = program(
        "postprocess", "--project_path=project", f"--partition_dpath={parts[0].path}",
        f"--dataset={case.dataset.path}", f"--dst={tmp_path / 'out'}", code=2, cwd=tmp_path,
    )  # fmt: skip
    assert error.startswith("error: ") and error.count("\n") == 1 and "(w0, w6)" in error
    error = program("combine", "--project_path=project", "--results", str(parts[0].path), str(parts[1].path),
                    f"--dst={tmp_path / 'out'}", code=2, cwd=tmp_path)  # fmt: skip
    assert error.startswith("error: ") and error.count("\n") == 1 and "partition_9" in error
    assert not (tmp_path / "out").exists()

"""Pictures: what a panel shows where, and what the program writes and refuses."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
from PIL import Image
from shapely.geometry import box

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, drawing, panels
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.iarpa_models import PHASES
from pipelines.geowatch.visualize import channel_groups, main
from pipelines.program import run

GRID = Grid("EPSG:32719", (10.0, 0.0, 400000.0, 0.0, -10.0, 8000000.0), 40, 30)
RGB = "red|green|blue"


def write_image(path: Path, pixels) -> None:
    profile = {"driver": "GTiff", "count": len(pixels), "dtype": pixels.dtype, "crs": GRID.crs}
    nodata = np.nan if pixels.dtype.kind == "f" else -9999
    with rasterio.open(
        path, "w", width=40, height=30, nodata=nodata, transform=GRID.affine, **profile
    ) as out:
        out.write(pixels)


def make_dataset(folder: Path, regions=("CL_R001",), frames=3) -> Path:
    """Frames with a left half of nodata in the second, a heatmap of 0.5, and both kinds of sites."""
    dataset = kwcoco.CocoDataset(bundle_dpath=str(folder))
    dataset.add_category(PHASES[2])
    for region in regions:
        video = dataset.add_video(
            name=region, width=40, height=30, crs=GRID.crs, transform=list(GRID.transform)
        )
        for number in range(frames):
            name = f"{region}_{number}"
            pixels = np.random.default_rng(number).integers(100, 900, (3, 30, 40)).astype("int16")
            if number == 1:
                pixels[:, :, :20] = -9999
            write_image(folder / f"{name}.tif", pixels)
            write_image(folder / f"{name}_s.tif", np.full((1, 30, 40), 0.5, np.float32))
            size = {"width": 40, "height": 30}
            assets = [
                {"file_name": f"{name}.tif", "channels": RGB} | size,
                {"file_name": f"{name}_s.tif", "channels": "salient"} | size,
            ]
            image = dataset.add_image(
                file_name=None, name=name, video_id=video, auxiliary=assets, frame_index=number,
                date_captured=f"2020-0{number + 1}-15T10:00:00", sensor_coarse="S2", **size
            )  # fmt: skip
            for role, left in (("true", 5), ("pred", 25)):
                points = [left, 10, left + 10, 10, left + 10, 20, left, 20]
                dataset.add_annotation(
                    image_id=image, category_id=1, segmentation=[points], role=role, track_id=region + "_0007"
                )
    coco_files.write_dataset(dataset, folder / "poly.kwcoco.zip")
    return folder / "poly.kwcoco.zip"


def program(source: Path, folder: Path, *arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        run(main, [f"--poly_kwcoco_fpath={source}", f"--stamp_fpath={folder / '_viz.stamp'}", *arguments])
    return end.value.code


pytestmark = pytest.mark.filterwarnings("ignore:Adding annotation")


class TestProgram:
    def test_frames_an_animation_and_the_stamp_last(self, tmp_path):
        source = make_dataset(tmp_path, ("CL_R001", "CL_R002"))
        assert program(source, tmp_path / "viz") == 0
        stamp = tmp_path / "viz" / "_viz.stamp"
        listed = stamp.read_text().splitlines()
        there = {p.relative_to(stamp.parent).as_posix() for p in stamp.parent.rglob("*.*") if p.is_file()}
        assert set(listed) == there - {"_viz.stamp"} and len(listed) == 8
        assert listed[0] == "CL_R001/0000_CL_R001_0.png" and "CL_R002.gif" in listed
        with Image.open(stamp.parent / "CL_R001.gif") as animation:
            assert animation.n_frames == 3 and animation.info["loop"] == 0
        assert all(p.stat().st_mtime_ns <= stamp.stat().st_mtime_ns for p in stamp.parent.rglob("*.png"))

    def test_the_bytes_do_not_depend_on_the_run_or_workers(self, tmp_path):
        source = make_dataset(tmp_path, ("CL_R001", "CL_R002"))
        digests = []
        for number in (1, 3):
            program(source, tmp_path / f"viz{number}", f"--workers={number}", "--panel_size=80")
            files = sorted(p for p in (tmp_path / f"viz{number}").rglob("*.*") if p.is_file())
            digests.append([(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files])
        assert digests[0] == digests[1]

    def test_an_empty_dataset_has_a_stamp(self, tmp_path):
        coco_files.write_dataset(kwcoco.CocoDataset(), tmp_path / "poly.kwcoco.zip")
        assert program(tmp_path / "poly.kwcoco.zip", tmp_path / "viz") == 0
        assert (tmp_path / "viz" / "_viz.stamp").read_text() == ""

    @pytest.mark.parametrize("argument, word", [
        ("--channels=red|swir", "'swir'"), ("--channels=,", "channels"), ("--panel_size=2", "16 pixels"),
    ])  # fmt: skip
    def test_refusals(self, tmp_path, capsys, argument, word):
        assert program(make_dataset(tmp_path, frames=1), tmp_path / "viz", argument) == 2
        text = capsys.readouterr().err
        assert word in text and text.startswith("error: ") and text.count("\n") == 1
        assert not (tmp_path / "viz" / "_viz.stamp").exists()

    def test_a_missing_image_is_named_and_leaves_no_stamp(self, tmp_path, capsys):
        source = make_dataset(tmp_path, frames=1)
        (tmp_path / "CL_R001_0_s.tif").unlink()
        assert program(source, tmp_path / "viz") == 2
        assert "CL_R001_0_s.tif" in capsys.readouterr().err
        assert not (tmp_path / "viz" / "_viz.stamp").exists()

    @pytest.mark.parametrize("name", ["crop", "score_sites", "filter_sites", "visualize"])
    def test_help_has_an_example(self, name):
        command = [sys.executable, "-m", f"pipelines.geowatch.{name}", "--help"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert f"python -m pipelines.geowatch.{name}" in text.replace(
            f"Usage: python -m pipelines.geowatch.{name}", ""
        )


class TestPanels:
    def view(self, tmp_path, channels, side=40):
        dataset = coco_files.read_dataset(make_dataset(tmp_path))
        (video,) = dataset.index.videos.values()
        shown = panels.view(dataset, video, channel_groups(channels), side)
        return shown, coco_files.frames(dataset, video["id"])

    def test_a_pixel_is_where_it_is_and_nodata_has_its_colour(self, tmp_path):
        shown, images = self.view(tmp_path, RGB)
        (colour,) = panels.panels(shown, images[1])
        assert colour.pixels.shape == (30, 40, 3)
        nodata = (colour.pixels == drawing.NODATA).all(axis=2)
        assert nodata[:, :20].all() and not nodata[:, 20:].any()
        with rasterio.open(tmp_path / "CL_R001_0.tif") as file:
            red = file.read(1)
        (first,) = panels.panels(shown, images[0])
        order = np.argsort(red.ravel())
        assert (np.diff(first.pixels[..., 0].ravel()[order].astype(int)) >= 0).all()

    def test_a_heatmap_has_the_colour_of_its_probability(self, tmp_path):
        shown, images = self.view(tmp_path, "salient")
        (heat,) = panels.panels(shown, images[0])
        assert {tuple(int(c) for c in p) for p in heat.pixels.reshape(-1, 3)} == {drawing.HEAT_LEGEND[1][1]}

    def test_sites_lie_where_they_were_drawn(self, tmp_path):
        shown, images = self.view(tmp_path, RGB, side=400)
        predicted, true = panels.outlines(shown, images[0])
        assert (true.colour, predicted.colour) == (drawing.TRUE, drawing.PREDICTED)
        assert predicted.label == "0007: active" and true.label == ""
        assert true.shape.hausdorff_distance(box(50, 100, 150, 200)) < 0.01
        picture = drawing.frame("", panels.panels(shown, images[0]), [predicted])
        seen = np.argwhere((np.asarray(picture) == drawing.PREDICTED).all(axis=2))
        origin = np.array([drawing.GAP + drawing.LINE, drawing.GAP])
        for middle_of_side in ((100, 300), (200, 300), (150, 250), (150, 350)):
            assert np.abs(seen - origin - middle_of_side).sum(axis=1).min() <= 1
        assert np.abs(seen - origin - (150, 300)).max(axis=1).min() > 40

    def test_kinds_of_sites_are_told_apart_without_colours(self):
        """A predicted site is a full line, a true one dashes that leave the line below them to be seen."""
        panel = drawing.Panel(np.full((100, 200, 3), 255, np.uint8), "")
        site = box(20, 20, 180, 80)
        shares = {}
        for colour in (drawing.PREDICTED, drawing.TRUE, drawing.TRUE_IDLE):
            picture = np.asarray(drawing.frame("", [panel], [drawing.Outline(site, colour)]))
            top = drawing.GAP + drawing.LINE
            side = picture[top + 20, drawing.GAP + 22 : drawing.GAP + 178]
            shares[colour] = (side == colour).all(axis=1).mean()
        assert shares[drawing.PREDICTED] == 1 > 0.9 > shares[drawing.TRUE] > shares[drawing.TRUE_IDLE] > 0.2
        both = [drawing.Outline(site, colour) for colour in (drawing.PREDICTED, drawing.TRUE)]
        picture = np.asarray(drawing.frame("", [panel], both)).reshape(-1, 3)
        assert all((picture == outline.colour).all(axis=1).sum() > 100 for outline in both)

    def test_a_predicted_site_has_a_dark_edge_on_heat_of_its_colour(self):
        panel = drawing.Panel(np.full((100, 200, 3), drawing.PREDICTED, np.uint8), "")
        plain, drawn = (
            np.asarray(
                drawing.frame("", [panel], [drawing.Outline(box(50, 20, 150, 80), drawing.PREDICTED)] * n)
            )
            for n in (0, 1)
        )
        inside = (slice(drawing.GAP + drawing.LINE - 6, -2 * drawing.LINE - drawing.GAP), slice(0, 200))
        assert ((plain[inside] != drawn[inside]).any(axis=2)).sum() > 300

    def test_the_legend_names_what_another_frame_shows(self, tmp_path):
        """Else the legend of an animation would come and go."""
        source = make_dataset(tmp_path, frames=2)
        dataset = coco_files.read_dataset(source)
        gone = [number for number, one in dataset.anns.items() if one["image_id"] == 1]
        dataset.remove_annotations(gone)
        coco_files.write_dataset(dataset, source)
        assert program(source, tmp_path / "viz") == 0
        first, last = (np.asarray(Image.open(p)) for p in sorted((tmp_path / "viz").rglob("*.png")))
        legend = slice(-drawing.LINE - drawing.GAP // 2, None)
        assert (first[legend] == last[legend]).all()
        for colour in (drawing.PREDICTED, drawing.TRUE):
            assert (first[legend] == colour).all(axis=2).any()

    def test_classes_are_mixed_by_their_share(self):
        probabilities = np.zeros((4, 1, 3), np.float32)
        probabilities[2, 0, 0] = probabilities[1, 0, 1] = probabilities[2, 0, 1] = 0.5
        probabilities[:, 0, 2] = np.nan
        picture = drawing.classes(probabilities, PHASES)
        both = np.mean([drawing.PHASE_COLOURS[PHASES[n]] for n in (1, 2)], axis=0)
        assert tuple(picture[0, 0]) == drawing.PHASE_COLOURS[PHASES[2]]
        assert np.abs(picture[0, 1] - both).max() <= 1 and tuple(picture[0, 2]) == drawing.NODATA

    def test_labels_do_not_lie_on_each_other(self, tmp_path):
        panel = drawing.Panel(np.zeros((100, 200, 3), np.uint8), "")
        here = [drawing.Outline(box(50, 50, 60, 60), drawing.PREDICTED, f"000{n} Active") for n in (1, 2)]
        assert drawing.frame("", [panel], here[:1]) == drawing.frame("", [panel], here)

    def test_a_long_header_is_cut_to_the_width(self, tmp_path):
        shown, images = self.view(tmp_path, RGB, side=80)
        made = panels.panels(shown, images[0])
        plain, long = (drawing.frame(text, made, []) for text in ("x", "x" * 400))
        assert plain.size == long.size


def test_groups_of_channels():
    assert channel_groups("red|green|blue,No Activity|Site Preparation") == [
        ["red", "green", "blue"], ["No Activity", "Site Preparation"]]  # fmt: skip
    with pytest.raises(BadInput):
        channel_groups(" , ")


def test_a_dataset_has_the_same_bytes_each_time(tmp_path):
    digests = set()
    for name in ("a", "b"):
        source = make_dataset_once(tmp_path / name)
        digests.add(hashlib.sha256(source.read_bytes()).hexdigest())
    assert len(digests) == 1
    assert json.loads(json.dumps(coco_files.read_dataset(source).dataset))["images"]


def make_dataset_once(folder: Path) -> Path:
    folder.mkdir()
    return make_dataset(folder, frames=1)

"""What the programs make of generated scenes: slicks found, by channels and by classes as planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.programs import caller

pytestmark = pytest.mark.xdist_group("quality of cerulean")  # one data set for all

call = caller("pipelines.cerulean")
NETWORK = ("--width=8", "--depth=3", "--device=cpu", "--lr=0.01")


def does(name: str, *arguments: object) -> None:
    ended = call(name, *arguments)
    assert ended.code == 0, ended.err


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes in three parts, and tiles of slicks of two of them."""
    path = tmp_path_factory.mktemp("quality")
    does("generate", f"--dst={path / 'data'}", "--scenes=18", "--size=512x384")
    listed = path / "data" / "scenes.txt"
    does("split_scenes", f"--list={listed}", f"--dst={path / 'split'}", "--val=0.2", "--test=0.2")
    for part in ("train", "val"):
        options = (f"--list={path / 'split' / part}.txt", f"--aux={path / 'data' / 'aux'}", "--workers=1")
        does("make_coco_dataset", *options, f"--dst={path / part}", "--tile_length=128", "--drop_empty")
    return path


@pytest.fixture(scope="module")
def by_distance(root: Path) -> dict[str, Any]:
    """The usual classes, from all channels."""
    return trained(root, "usual", 22, "--remap=usual")


def trained(root: Path, name: str, epochs: int, *options: str) -> dict[str, Any]:
    parts = (f"--train={root / 'train'}", f"--val={root / 'val'}", f"--dst={root / name}")
    does("train", *parts, f"--epochs={epochs}", *NETWORK, *options)
    return json.loads((root / name / "train.json").read_text())["result"]["metrics"]


def test_slicks_are_found_on_scenes_that_were_never_seen(root, by_distance):
    aux, model = f"--aux={root / 'data' / 'aux'}", root / "usual" / "model.pt"
    does(
        "predict",
        f"--model={model}",
        f"--list={root / 'split' / 'test.txt'}",
        aux,
        f"--dst={root / 'pred'}",
    )
    does("postprocess", f"--pred={root / 'pred'}", f"--dst={root / 'post'}", "--tile_length=256")
    does("merge", f"--polygons={root / 'post'}", aux, f"--dst={root / 'merged'}")
    does("evaluate", f"--polygons={root / 'merged'}", aux, f"--dst={root / 'scores'}", "--draw=False")
    metrics = json.loads((root / "scores" / "evaluation.json").read_text())["result"]["metrics"]
    assert metrics["pixel_f1_slick"] >= 0.8 and metrics["instance_f1_slick"] >= 0.6
    for what in ("outside", "in_nodata", "on_land", "duplicated"):
        assert metrics[f"polygons_{what}"] == 0


def test_only_the_distance_tells_what_infrastructure_left(root, by_distance):
    by_picture = trained(root, "vv", 10, "--remap=usual", "--channels=vv")
    assert by_distance["val_f1_infra_slick"] > by_picture["val_f1_infra_slick"] + 0.2
    assert by_distance["val_f1_mean"] > by_picture["val_f1_mean"] + 0.1


def test_the_classes_of_vessels_are_told_apart_worse_than_all_of_them_from_the_rest(root, by_distance):
    apart = trained(root, "none", 10, "--remap=none")
    assert by_distance["val_f1_mean"] > apart["val_f1_mean"] + 0.1

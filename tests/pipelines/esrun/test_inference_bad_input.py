"""What a user may get wrong about models and their windows: one line, exit code 2, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pipelines.esrun.inference_cases import BRIGHTEST, CLASSES, MODEL, Case, make_case, noise, ran, tree

NET = "pipelines.esrun.networks.SegmentationNet"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = make_case(tmp_path / "p")
    made.weights()
    made.window("a", 0, 0, noise(0, 8, 8))
    return made


def model(text: str) -> Callable[[Case], None]:
    return lambda case: case.model(text)


def replaced(old: str, new: str) -> Callable[[Case], None]:
    return model(BRIGHTEST.replace(old, new))


def more(line: str) -> Callable[[Case], None]:
    return model(BRIGHTEST + line)


def saved(**content: object) -> Callable[[Case], None]:
    return lambda case: torch.save(content, case.path / "checkpoint.ckpt")


def classes(old: str, new: str) -> Callable[[Case], None]:
    return lambda case: case.results(classes=CLASSES.replace(old, new))


def dataset(config: object) -> Callable[[Case], None]:
    return lambda case: (case.dataset.path / "config.json").write_text(json.dumps(config))


ONE = torch.ones(1)
CASES: dict[str, tuple[Callable[[Case], object], str]] = {
    "no model": (lambda case: (case.path / "model.yaml").unlink(), "model.yaml: no such file"),
    "no mapping": (model("[1]"), "model.yaml: must be a mapping"),
    "unknown key": (more("input: []"), "model.yaml: no key 'input'; did you mean 'inputs'?"),
    "no inputs": (replaced("inputs", "classes"), "model.yaml"),
    "unknown task": (replaced("segment", "guess"), "task: must be segment or classify, not 'guess'"),
    "unknown variable": (replaced("segment", "${TSK}"), "no variable ${TSK} is known"),
    "misspelt input": (replaced("bands", "band"), "inputs[0]: no key 'band'; did you mean 'bands'?"),
    "band twice": (replaced("B1, B2", "B1, B1"), "inputs[0].bands: names one twice (B1, B1, B3)"),
    "no such layer": (replaced("image", "picture"), "inputs: no layer 'picture'"),
    "no such band": (replaced("B2", "B9"), "has no band 'B9'; it has B1, B2, B3"),
    "no such class": (replaced("Brightest", "Brightes"), "no class 'brightest_band.Brightes'"),
    "no such module": (replaced("brightest_band", "nowhere"), "no class 'nowhere.Brightest'"),
    "no network": (replaced("brightest_band.Brightest", "pathlib.PurePath"), "pathlib.PurePath is no Module"),
    "a class without a signature": (replaced("brightest_band.Brightest", "builtins.int"), "int is no Module"),
    "arguments in a list": (
        replaced("Brightest}", "Brightest, init_args: [1]}"),
        "model.init_args: must be a mapping, not [1]",
    ),
    "arguments that do not fit": (
        model(MODEL.replace("width", "wide")),
        "model.init_args: SegmentationNet takes no 'wide'",
    ),
    "arguments of another kind": (
        model(MODEL.replace("8}", "many}")),
        "model.init_args.width: 'many' is no whole",
    ),
    "a number of steps": (
        replaced("nodata: 0", "steps: 0"),
        "inputs[0].steps: 0 is no whole number from 1 on",
    ),
    "normalise": (more("normalise: {mean: [1, 2], std: 1}"), "normalise.mean: has 2 numbers for 3 channels"),
    "normalise by no number": (
        more("normalise: {mean: .nan, std: 1}"),
        "normalise.mean: nan are no numbers",
    ),
    "no deviation": (more("normalise: {mean: 1, std: 0}"), "normalise.std: must be above 0"),
    "learning rate": (more("fit: {lr: 0}"), "fit.lr: 0 is no number above 0"),
    "other classes": (more("classes: [low, high]"), "classes: low, high are not those of inference_results"),
    "scores of a window": (
        replaced("Brightest", "Window"),
        "makes (1, 3) of images (1, 3, 8, 8), not (1, 3, 8, 8)",
    ),
    "scores of pixels": (replaced("segment", "classify"), "makes (1, 3, 8, 8) of images"),
    "no checkpoint": (
        lambda case: (case.path / "checkpoint.ckpt").unlink(),
        "checkpoint.ckpt: no such checkpoint",
    ),
    "text as checkpoint": (
        lambda case: (case.path / "checkpoint.ckpt").write_text("weights"),
        "checkpoint.ckpt: is no checkpoint",
    ),
    "no weights": (saved(epoch=3), "checkpoint.ckpt: is no checkpoint"),
    "shape": (
        saved(scale=torch.ones(2)),
        "another architecture than brightest_band.Brightest of model.yaml: "
        "its tensor scale has shape (2,), the network's (1,)",
    ),
    "missing tensor": (saved(weight=ONE), "it has no tensor scale"),
    "one more tensor": (saved(scale=ONE, bias=ONE), "the network has no tensor bias"),
    "another network": (
        model(MODEL),
        f"another architecture than {NET} of model.yaml: it has no tensor first.0.weight",
    ),
    "trained for others": (
        saved(state_dict={"scale": ONE}, classes=["a", "b", "c"]),
        "was trained for the classes a, b, c, not low",
    ),
    "channels": (
        saved(state_dict={"scale": ONE}, normalise={"mean": [1], "std": [1]}),
        "normalises 1 channels, model.yaml",
    ),
    "no deviation in the checkpoint": (
        saved(state_dict={"scale": ONE}, normalise={"mean": [0] * 3, "std": [1, 1, 0]}),
        "checkpoint.ckpt: its normalise needs finite numbers, and std above 0",
    ),
    "number of classes": (
        saved(state_dict={"scale": ONE}, classes=3),
        "checkpoint.ckpt: its classes are 3, no list",
    ),
    "config in a list": (dataset([]), "ds/config.json: needs layers"),
    "layer of no mapping": (dataset({"layers": {"image": "B1"}}), "ds/config.json: needs layers"),
    "band set without bands": (dataset({"layers": {"image": {"band_sets": [{}]}}}), "the bands of its band"),
    "folder as property": (
        classes("property_name: elevation", "property_name: .."),
        "property_name: '..' is no name",
    ),
    "kind of results": (lambda case: case.results("PICTURE"), "data_type: must be RASTER or VECTOR"),
    "value of no byte": (
        classes("value: 7", "value: 256"),
        "allowed_values[2].value: 256 does not fit into a byte",
    ),
    "value twice": (classes("value: 7", "value: 2"), "needs classes, each with a value and label of its own"),
    "colour": (classes("253, 231, 37", "300, 0, 0"), "allowed_values[2].color: must be [red, green, blue]"),
    "misspelt colour": (classes("color", "colour"), "no key 'colour'; did you mean 'color'?"),
    "regression": (classes("classification", "regression"), "only classification_fields can be predicted"),
    "no classes": (
        lambda case: (case.path / "esrun.yaml").write_text(""),
        "names no classes, and model.yaml",
    ),
    "not built": (
        lambda case: (
            case.dataset.add(case.window("b", 9, 9, None))
            or (case.dataset.path / "windows/group_partition_0/b/items.json").unlink()
        ),
        "has no layer image yet; build",
    ),
    "half built": (
        lambda case: (
            case.dataset.add(case.window("b", 9, 9, None))
            or (case.dataset.path / "windows/group_partition_0/b/items.json").write_text(
                '[{"layer_name": "image", "serialized_item_groups": [["item"]]}]'
            )
        ),
        "has no layer image yet; build",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_line_and_leaves_nothing(case, capsys, name):
    spoil, said = CASES[name]
    spoil(case)
    before = tree(case.path)
    code, line = case.infer(capsys, "--summary_fpath=s.json", dst="out")
    assert (code, line.count("\n")) == (2, 1), line
    assert line.startswith("error: ")
    assert said in line
    left = {name for name in tree(case.path) if "__pycache__" not in name}
    assert left == {name for name in before if "__pycache__" not in name}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--threshold=1.5", "1.5"),
        ("--device=tpu", "'tpu' is no device"),
        ("--device=99", "no GPU 99"),
        ("--partition_dpath=partition_7", "has no windows in group 'group_partition_7'; build"),
        ("--project_path=nowhere", "no such project directory"),
        ("--checkpoint_path=nowhere.ckpt", "nowhere.ckpt: no such checkpoint"),
    ],
)
def test_an_option_that_cannot_be(case, capsys, option, said):
    code, line = case.infer(capsys, option, dst="out")
    assert (code, line.count("\n")) == (2, 1)
    assert said in line
    assert not (case.path / "out").exists()


FITS: dict[str, tuple[Callable[[Case], object], str]] = {
    "no group": (lambda case: None, "has no windows in group 'post_random_split'; prepare_labeled_windows"),
    "no split": (lambda case: label(case), "options.split: must be train, val or test, not None"),
    "none to train on": (lambda case: label(case, split="val"), "has labels, images and the split train"),
    "no label": (lambda case: group(case, split="train"), "has no layer labels"),
    "another size": (
        lambda case: label(case, np.ones((4, 4), np.uint8), split="train"),
        "has (4, 4) pixels, its window (8, 8)",
    ),
    "unknown values": (
        lambda case: label(case, np.full((8, 8), 3, np.uint8), split="train"),
        "has labels, images and the split",
    ),
    "labels that are no numbers": (
        lambda case: label(case, np.full((8, 8), np.nan, np.float32), split="train"),
        "has labels, images and the split",
    ),
}


def group(case: Case, **options: str):
    return case.window("a", 0, 0, noise(0, 8, 8), "post_random_split", **options)


def label(case: Case, values: np.ndarray | None = None, **options: str) -> None:
    case.label(group(case, **options), np.ones((8, 8), np.uint8) if values is None else values)


@pytest.mark.parametrize("name", FITS)
def test_labels_that_nothing_can_be_learned_from(case, capsys, name):
    spoil, said = FITS[name]
    spoil(case)
    dst = case.path / "new.ckpt"
    arguments = [f"--project_path={case.path}", f"--dataset={case.dataset.path}", f"--dst={dst}"]
    code, line = ran(capsys, "fit", *arguments)
    assert (code, line.count("\n")) == (2, 1)
    assert said in line
    assert not dst.exists()

"""Training on labelled windows, and what model.yaml says about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.esrun import checkpoint
from pipelines.esrun.colours import legend, plain
from pipelines.esrun.fit import fit
from pipelines.esrun.model_config import Input, Normalisation, Training, load_model_config
from pipelines.esrun.scoring import prepared
from pipelines.esrun.training import judge, majority_class
from pipelines.esrun.training_data import UNKNOWN, Example
from tests.pipelines.esrun.inference_cases import MODEL, Case, landscape, make_case, noise, ran

SPLITS = ("train", "train", "val", "test")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Twelve labelled windows of a landscape."""
    made = make_case(tmp_path / "p", MODEL)
    for number in range(12):
        image, levels = landscape(number)
        window = made.window(
            f"w{number:02}", 40 * number, 0, image, "post_random_split", split=SPLITS[number % 4]
        )
        made.label(window, levels)
    return made


def arguments(case: Case, dst: str) -> list[str]:
    return [f"--project_path={case.path}", f"--dataset={case.dataset.path}", f"--dst={case.path / dst}"]


def test_a_fitted_model_beats_the_majority_and_predicts(case, capsys):
    assert ran(capsys, "fit", *arguments(case, "checkpoint.ckpt"), "--epochs=12") == (0, "")
    metrics = json.loads((case.path / "fit.json").read_text())["result"]["metrics"]
    assert (metrics["train_windows"], metrics["val_windows"], metrics["test_windows"]) == (6, 3, 3)
    assert metrics["test_labels"] == 3 * 40 * 40
    assert metrics["test_macro_f1"] > 0.75 > 0.3 > metrics["test_majority_macro_f1"]
    assert metrics["test_f1"].keys() == {"low", "mid", "high"}

    image, levels = landscape(50)
    window = case.window("new", 0, 0, image)
    assert case.infer(capsys) == (0, "")
    assert (case.output(window) == levels).mean() > 0.75


def test_the_same_seed_gives_the_same_file(case, capsys):
    for name in ("a.ckpt", "b.ckpt"):
        ran(capsys, "fit", *arguments(case, name), "--epochs=1", f"--metrics_fpath={case.path / name}.json")
    ran(capsys, "fit", *arguments(case, "c.ckpt"), "--epochs=1", "--seed=1")
    files = [(case.path / f"{name}.ckpt").read_bytes() for name in "abc"]
    assert files[0] == files[1] != files[2]
    assert (case.path / "a.ckpt.json").read_bytes() == (case.path / "b.ckpt.json").read_bytes()


def test_points_as_windows_of_one_pixel(tmp_path):
    """What PointToPixel makes: a vector label, by value or by name."""
    case = make_case(
        tmp_path / "p", MODEL.replace("Segmentation", "Classification").replace("segment", "classify")
    )
    for number in range(31):
        level = number % 3
        pixel = np.array([60 * level + 30, 200 - 40 * level, 100]) + noise(number, 1, 1)[:, 0, 0] // 16
        window = case.window(
            f"w{number:02}", number, 0, pixel.astype(np.uint8)[:, None, None], "post_random_split",
            split="test" if number > 20 else "train",
        )  # fmt: skip
        label = [1, "mid", "7"][level]
        features = [{"type": "Feature", "geometry": None, "properties": {"category": label}}]
        place = case.dataset.vector_fpath(window, "labels")
        place.parent.mkdir()
        place.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    metrics = fit(case.project, case.dataset, case.path / "c.ckpt", epochs=60)
    assert metrics["test_macro_f1"] == 1
    assert metrics["test_labels"] == 10
    assert not [name for name in metrics if name.startswith("val_") and name != "val_windows"]


def test_a_checkpoint_keeps_what_the_weights_were_learned_with(case):
    fit(case.project, case.dataset, case.path / "c.ckpt", epochs=1)
    content = torch.load(case.path / "c.ckpt", weights_only=True)
    assert content["classes"] == ["low", "mid", "high"]
    assert content["architecture"]["init_args"] == {"channels": 3, "classes": 3, "width": 8}
    images = np.concatenate([landscape(number)[0].reshape(3, -1) for number in (0, 1, 4, 5, 8, 9)], 1)
    assert content["normalise"]["mean"] == pytest.approx(images.mean(1))
    assert content["normalise"]["std"] == pytest.approx(images.std(1))


def test_weights_of_a_training_framework(case):
    """Lightning puts the network's attribute before the names of its tensors."""
    config = load_model_config(case.project, case.dataset.path)
    torch.manual_seed(3)
    weights = config.network(3).state_dict()
    around = {f"model.{name}": tensor for name, tensor in weights.items()}
    torch.save({"state_dict": around, "epoch": 3}, case.path / "c.ckpt")
    network = config.network(3)
    checkpoint.fill(network, checkpoint.load(case.path / "c.ckpt"), "ours")
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in weights.items())


class Given(torch.nn.Module):
    """Scores that are the pixels."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_judged_as_by_hand(case):
    """Two windows of four pixels; truth 0 0 1 2 and 0 1 - -, said 0 1 1 0 and 0 0 1 1."""
    config = load_model_config(case.project, case.dataset.path)
    model = prepared(config, Given(), Normalisation((0.0,) * 3, (1.0,) * 3), plain("abc"), "cpu")

    def example(said: list[int], truth: list[int]) -> Example:
        pixels = np.eye(3, dtype=np.float32)[said].T[:, None]
        return Example("w", pixels, np.array([truth], np.int16), (0, 0))

    examples = [example([0, 1, 1, 0], [0, 0, 1, 2]), example([0, 0, 1, 1], [0, 1, UNKNOWN, UNKNOWN])]
    assert majority_class(examples) == 0
    found = judge(model, examples, 0)
    # Class 0: 2 right, 4 said, 3 true; class 1: 1, 2, 2; class 2: 0, 0, 1.
    assert found["f1"] == pytest.approx({"a": 4 / 7, "b": 0.5, "c": 0})
    assert found["macro_f1"] == pytest.approx((4 / 7 + 0.5) / 3)
    assert found["miou"] == pytest.approx((2 / 5 + 1 / 3) / 3)
    assert (found["accuracy"], found["majority_accuracy"]) == (0.5, 0.5)
    assert found["majority_macro_f1"] == pytest.approx(2 / 3 / 3)


def test_model_yaml_with_variables_and_defaults(case, monkeypatch):
    monkeypatch.setenv("WANDB_NAME", "red")
    case.model(
        "model: {class_path: a.B, init_args: {weights: '${EXTRA_FILES_PATH}/w', run: 'x-${WANDB_NAME}'}}\n"
        "inputs: [{layer: image, bands: [B1, B2], steps: 2}]\nnum_workers: ${NUM_WORKERS}\n"
        "normalise: {mean: 3, std: [1, 2, 3, 4]}\nfit: {epochs: 3}\n"
    )
    found = load_model_config(case.project, case.dataset.path, workers=4)
    assert found.model["init_args"] == {"weights": f"{case.path}/w", "run": "x-red"}
    assert found.inputs == (Input("image", ("B1", "B2"), 2),)
    assert (found.channels, found.num_workers, found.task) == (4, 4, "segment")
    assert found.normalise == Normalisation((3, 3, 3, 3), (1, 2, 3, 4))
    assert found.fit == Training(epochs=3)


def test_legends(case):
    found = legend(case.project)
    assert (found.values, found.nodata, found.property_name) == ((1, 2, 7), 0, "elevation")
    assert [found.index(one) for one in (7, "high", "7", 3, None, True)] == [2, 2, 2, None, None, None]
    (case.path / "esrun.yaml").write_text("")
    without = legend(case.project, ["a", "b"])
    assert (without.values, without.nodata, without.colormap()[255]) == ((0, 1), 255, (0, 0, 0, 0))

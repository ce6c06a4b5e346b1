"""Training of real photographs' files by the real program: what it learns, writes, and refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from pipelines import checkpoints
from pipelines.errors import BadInput
from pipelines.fpe import model_files
from pipelines.fpe.ranknet import ranknet_loss
from pipelines.fpe.run_train import command, read_pairs

IMAGES = 20
OUTPUTS = ("model.pth", "metrics.csv", "args.json", "train.json")
QUICK = ("--input-size=24", "--batch-size=16", "--unfreeze-after=1", "--learning-rate=0.02")
NAME = "imagesets/x/images/West Brook 0__2022-12-20__09-54-{:02d}(1).JPG"


@pytest.fixture
def station(tmp_path):
    """A storage of scenes with rising water, and pairs of them; every fifth image is for validation."""
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        scene = rng.normal([90, 120, 70], 25, (36, 48, 3))
        scene[36 - 4 - number :] = rng.normal([60, 80, 140], 6, (4 + number, 48, 3))
        path = tmp_path / "storage" / NAME.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.clip(0, 255).astype(np.uint8)).save(path)
    rows = []
    for first in range(IMAGES):
        for second in range(IMAGES):
            if first != second and (first % 5 == 0) == (second % 5 == 0):
                label = 0 if abs(first - second) < 2 else int(np.sign(first - second))
                split = "val" if first % 5 == 0 else "train"
                rows.append((split, NAME.format(first), NAME.format(second), label))
    (tmp_path / "input").mkdir()
    table = pd.DataFrame(rows, columns=["split", "filename_1", "filename_2", "label"])
    table.to_csv(tmp_path / "input" / "pairs.csv", index=False)
    return tmp_path


def words(station, dst, *options):
    given = [f"--input={station / 'input'}", f"--storage={station / 'storage'}", f"--dst={station / dst}"]
    return [*given, "--device=cpu", *QUICK, *options]


def train(station, dst, *options):
    command.main(words(station, dst, *options), standalone_mode=False)
    return station / dst


def contents(folder):
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def test_a_training_learns_the_order_and_writes_its_files(station):
    dst = train(station, "train", "--epochs=12")
    metrics = pd.read_csv(dst / "metrics.csv")
    assert list(metrics.columns) == ["epoch", "train_loss", "val_loss"]
    assert metrics["epoch"].tolist() == list(range(1, 13))
    assert metrics["val_loss"].min() < 0.4 < metrics["val_loss"][0]
    best = int(metrics["val_loss"].idxmin()) + 1
    assert (dst / "model.pth").read_bytes() == (dst / f"checkpoints/epoch-{best:03d}.pth").read_bytes()
    assert json.loads((dst / "args.json").read_text())["learning_rate"] == 0.02
    network, transform = model_files.load_model(dst / "model.pth")
    pairs = read_pairs(station / "input" / "pairs.csv")["val"]
    with torch.inference_mode():
        first, second = (
            torch.cat([network(transform(Image.open(station / "storage" / one))[None]) for one in side])
            for side in (pairs.first, pairs.second)
        )
    loss = ranknet_loss(first, second, torch.from_numpy(pairs.label)).item()
    assert loss == pytest.approx(metrics["val_loss"].min(), abs=1e-5)


def test_a_killed_training_goes_on_and_ends_as_an_unbroken_one(station):
    options = ("--epochs=8", "--batch-size=4")
    program = [sys.executable, "-m", "pipelines.fpe.run_train", *words(station, "killed", *options)]
    process = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    while not list((station / "killed").glob("checkpoints/epoch-003.pth")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (station / "killed" / "train.json").exists()
    before = (station / "killed/checkpoints/epoch-001.pth").stat().st_mtime_ns
    killed = contents(train(station, "killed", *options))
    assert (station / "killed/checkpoints/epoch-001.pth").stat().st_mtime_ns == before
    assert killed == contents(train(station, "whole", *options))
    assert not list((station / "killed").rglob(".*"))


def test_a_longer_training_goes_on_and_another_one_begins_anew(station):
    short = train(station, "one", "--epochs=2")
    kept = (short / "checkpoints/epoch-001.pth").stat().st_mtime_ns
    longer = contents(train(station, "one", "--epochs=3"))
    assert (short / "checkpoints/epoch-001.pth").stat().st_mtime_ns == kept
    assert longer == contents(train(station, "two", "--epochs=3"))
    other = contents(train(station, "one", "--epochs=3", "--seed=1"))
    assert other["model.pth"] != longer["model.pth"]
    assert other == contents(train(station, "three", "--epochs=3", "--seed=1"))


def test_a_frozen_body_does_not_learn(station):
    dst = train(station, "train", "--epochs=2", "--unfreeze-after=1")
    first, second = (checkpoints.load(dst / f"checkpoints/epoch-00{n}.pth")["state_dict"] for n in (1, 2))
    torch.manual_seed(1691)
    from pipelines.fpe.networks import Ranker

    fresh = Ranker().state_dict()
    body = "body.layers.0.weight"
    assert torch.equal(fresh[body], first[body])
    assert not torch.equal(first["head.0.weight"], fresh["head.0.weight"])
    assert not torch.equal(second[body], first[body])


def test_switches_are_booleans(station):
    off = train(station, "off", "--epochs=1", "--decolorize", "False", "--normalize=no", "--augment=0")
    recipe = checkpoints.load(off / "model.pth")["transform"]
    assert recipe["decolorize"] is False
    assert recipe["mean"] == [0, 0, 0]
    on = train(station, "on", "--epochs=1", "--decolorize", "True")
    recipe = checkpoints.load(on / "model.pth")["transform"]
    assert recipe["decolorize"] is True
    assert recipe["mean"][0] == recipe["mean"][2] > 0


def test_a_batch_of_one_and_memory_for_nothing_work(station):
    table = pd.read_csv(station / "input/pairs.csv").groupby("split").head(3)
    table.to_csv(station / "input/pairs.csv", index=False)
    small = train(station, "small", "--epochs=2", "--batch-size=1", "--memory=0")
    large = train(station, "large", "--epochs=2", "--batch-size=1")
    assert (small / "model.pth").read_bytes() == (large / "model.pth").read_bytes()
    resnet = train(station, "resnet", "--epochs=1", "--batch-size=2", "--body=resnet18", "--unfreeze-after=0")
    assert model_files.load_model(resnet / "model.pth")[0].body.channels == 512


def test_broken_images_are_left_out_counted_and_named(station, capsys):
    (station / "storage" / NAME.format(3)).write_bytes(b"")
    (station / "storage" / NAME.format(4)).unlink()
    dst = train(station, "train", "--epochs=1")
    assert "warning: 2 of 20 images cannot be read, the first is" in capsys.readouterr().err
    report = json.loads((dst / "train.json").read_text())
    assert report["unreadable"][NAME.format(3)] == "is empty"
    assert sorted(report["unreadable"]) == [NAME.format(3), NAME.format(4)]
    assert report["result"]["metrics"]["train_pairs"] == 14 * 13
    with pytest.raises(BadInput, match="2 of 20 images cannot be read"):
        train(station, "other", "--max-unreadable=0.05")
    assert not (station / "other").exists()


@pytest.mark.parametrize(
    ("options", "change", "complaint"),
    [
        ((), ("label", "2"), "label is '2', not 1, 0 or -1"),
        ((), ("split", "train"), "has no pair in the split 'val'"),
        ((), ("filename_1", "none.JPG"), None),
        (("--body=vgg",), None, "no body 'vgg'"),
        (("--weights=none.pth",), None, "none.pth: cannot be read"),
        (("--learning-rate=1e30", "--epochs=3"), None, "--learning-rate: training diverges at 1e\\+30"),
        (("--input=nowhere",), None, "nowhere/pairs.csv: cannot be read"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(options, change, complaint, station):
    if change is not None:
        table = pd.read_csv(station / "input/pairs.csv", dtype=str).assign(**{change[0]: change[1]})
        table.to_csv(station / "input/pairs.csv", index=False)
    if complaint is None:  # one missing image of twenty-one, which every pair needs
        complaint = "1 of 21 images cannot be read, the first is 'none.JPG': .*; a split has no pair left"
    with pytest.raises(BadInput, match=complaint):
        train(station, "train", *options)
    assert not (station / "train/train.json").exists()
    assert not list(station.glob("train/**/*.pth"))

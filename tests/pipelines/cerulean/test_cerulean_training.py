"""Training of tiles' files by the real program: what it learns, writes, goes on with, and refuses."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio
import torch
from sklearn.metrics import f1_score

from pipelines.cerulean import models, training_loop
from pipelines.cerulean.classes import named
from pipelines.cerulean.tiles_data import TileSet
from tests.pipelines.cerulean.tile_datasets import sea_tiles, write_dataset
from tests.pipelines.programs import caller

call = caller("pipelines.cerulean")
OUTPUTS = ("model.pt", "metrics.csv", "train.json")
QUICK = ("--device=cpu", "--width=4", "--depth=2", "--batch_size=4")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folders with the datasets `train`, of scene A, and `val`, of scene B."""
    folder = tmp_path_factory.mktemp("tiles")
    write_dataset(folder / "train", sea_tiles(16, seed=1), "A")
    write_dataset(folder / "val", sea_tiles(6, seed=2), "B")
    return folder


def words(data, dst, *options):
    return [f"--train={data / 'train'}", f"--val={data / 'val'}", f"--dst={dst}", *QUICK, *options]


def train(data, dst, *options):
    ended = call("train", *words(data, dst, *options))
    assert ended.code == 0, ended.err
    return dst


def metrics(dst):
    return json.loads((dst / "train.json").read_text())["result"]["metrics"]


def contents(folder, names=OUTPUTS):
    return {name: (folder / name).read_bytes() for name in names}


def started(data, dst, *options):
    """The program in a process of its own."""
    program = [sys.executable, "-m", "pipelines.cerulean.train", *words(data, dst, *options)]
    return subprocess.Popen(program, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def learned(data, tmp_path_factory):
    return train(data, tmp_path_factory.mktemp("learned") / "model", "--epochs=14", "--lr=0.03")


def test_a_training_finds_slicks_and_tells_their_classes_by_the_distance(learned, data, tmp_path):
    its = metrics(learned)
    assert its["val_pixel_f1_slick"] > 0.9
    assert its["val_f1_mean"] > 0.85
    assert its["val_f1_natural_seep"] is None  # neither true nor found
    blind = metrics(train(data, tmp_path / "blind", "--epochs=14", "--lr=0.03", "--channels=vv"))
    assert blind["val_pixel_f1_slick"] > 0.85
    assert blind["val_f1_mean"] < its["val_f1_mean"] - 0.1


def test_the_metrics_are_those_of_the_model_that_is_written(learned, data):
    with (learned / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(number) for number in range(1, 15)]
    losses = [float(row["val_loss"]) for row in rows]
    its = metrics(learned)
    assert its["best_epoch"] == int(np.argmin(losses)) + 1
    assert its["val_loss"] == min(losses)
    network, config = models.load(learned)
    tiles = TileSet(data / "val", named("usual"))
    read = [tiles.read(index) for index in range(len(tiles))]
    found = models.probabilities(network, config, np.stack([pixels for pixels, _ in read])).argmax(1)
    truth = np.stack([truth for _, truth in read])
    assert f1_score(truth.ravel() > 0, found.ravel() > 0) == pytest.approx(its["val_pixel_f1_slick"])
    each = f1_score(truth.ravel(), found.ravel(), labels=[1, 3], average=None)
    assert each == pytest.approx([its["val_f1_infra_slick"], its["val_f1_recent_vessel"]])
    assert its["val_f1_mean"] == pytest.approx(each.mean())


def test_a_model_says_what_it_is_for(learned):
    network, config = models.load(learned / "model.pt")
    assert config.classes == ("background", "infra_slick", "natural_seep", "recent_vessel")
    assert config.numbers == (0, 1, 2, 3, 3, 3, 0)
    assert config.dropped == ("ambiguous",)
    assert (config.channels, config.tile_length) == (models.CHANNELS, 48)
    script = models.load_script(learned / "model.torchscript.pt")
    tile = torch.rand(2, 3, 37, 50) * 255
    with torch.inference_mode():
        assert torch.allclose(script(tile), network(tile), atol=1e-4)


def test_a_killed_training_goes_on_and_ends_as_an_unbroken_one(data, tmp_path):
    options, killed, whole = ("--epochs=9", "--crop=32"), tmp_path / "killed", tmp_path / "whole"
    process = started(data, killed, *options, "--workers=2")
    unbroken = started(data, whole, *options, "--memory=0")
    while not list(killed.glob("checkpoints/epoch-003.pt")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "train.json").exists()
    before = (killed / "checkpoints/epoch-001.pt").stat().st_mtime_ns
    assert started(data, killed, *options).wait() == 0
    assert (killed / "checkpoints/epoch-001.pt").stat().st_mtime_ns == before
    assert not list(killed.rglob(".*"))
    assert unbroken.wait() == 0
    names = (*OUTPUTS, "model.torchscript.pt")
    assert contents(killed, names) == contents(whole, names)


@pytest.mark.parametrize("scheduler", ["none", "cyclic"])
def test_another_training_begins_anew_and_the_same_is_not_done_twice(data, tmp_path, scheduler):
    options = ("--epochs=2", f"--scheduler={scheduler}")
    once = contents(train(data, tmp_path / "one", *options))
    last = tmp_path / "one/checkpoints/epoch-002.pt"
    before = last.stat().st_mtime_ns
    assert contents(train(data, tmp_path / "one", *options)) == once
    assert last.stat().st_mtime_ns == before
    other = contents(train(data, tmp_path / "one", *options, "--seed=1"))
    assert other["model.pt"] != once["model.pt"]
    assert other == contents(train(data, tmp_path / "two", *options, "--seed=1"))


def test_a_folder_that_cannot_be_written_in_is_noticed_before_the_training(data, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(training_loop.Training, "run", lambda self, tick: pytest.fail("it has begun"))
    ended = call("train", *words(data, tmp_path / "file/model"))
    assert ended.code == 2
    assert "file/model: cannot be written" in ended.err and ended.err.count("\n") == 1


def test_a_changed_tile_is_another_training(tmp_path):
    write_dataset(tmp_path / "train", sea_tiles(4, seed=1), "A")
    write_dataset(tmp_path / "val", sea_tiles(2, seed=2), "B")
    once = contents(train(tmp_path, tmp_path / "one", "--epochs=1"))
    tile = next((tmp_path / "train").glob("tiled_images/*_3.tif"))
    with rasterio.open(tile, "r+") as image:
        image.write(image.read()[:, ::-1])  # its mean, its deviation and its classes stay
    changed = contents(train(tmp_path, tmp_path / "one", "--epochs=1"))
    assert changed["model.pt"] != once["model.pt"]
    assert changed == contents(train(tmp_path, tmp_path / "two", "--epochs=1"))


def test_without_validation_the_last_epoch_is_the_model(data, tmp_path):
    ended = call("train", f"--train={data / 'train'}", f"--dst={tmp_path / 'm'}", *QUICK, "--epochs=2")
    assert ended.code == 0, ended.err
    its = metrics(tmp_path / "m")
    assert (its["best_epoch"], its["val_loss"], its["val_pixel_f1_slick"]) == (2, None, None)
    network, _ = models.load(tmp_path / "m")
    last, _ = models.load(tmp_path / "m/checkpoints/epoch-002.pt")
    weights = last.state_dict()
    assert all(torch.equal(one, weights[name]) for name, one in network.state_dict().items())


def test_tiles_of_several_sizes_and_classes_that_are_left_out(tmp_path):
    rng = np.random.default_rng(3)
    tiles = sea_tiles(2, seed=1, size=48) + sea_tiles(2, seed=2, size=33)
    pixels, ((_, mask),) = tiles[0]
    tiles[0] = pixels[:, :, :40], [("ambiguous", mask[:, :40])]
    write_dataset(tmp_path / "train", [tiles[number] for number in rng.permutation(4)], "A")
    write_dataset(tmp_path / "val", sea_tiles(1, seed=4, size=21 + 20), "B")
    dst = train(tmp_path, tmp_path / "m", "--epochs=1", "--remap=old_vessel=,ambiguous=")
    _, config = models.load(dst)
    assert config.dropped == ("ambiguous", "old_vessel")
    assert len(config.classes) == 5


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--channels=vv,dist",), "channels: no channel 'dist'"),
        (("--channels=,",), "channels: names no channel"),
        (("--remap=usuall",), "remap: 'usuall' is not old=new"),
        (("--remap=infra_slick=,recent_vessel=",), "has no slick to learn from, of natural_seep"),
        (("--lr=1e30", "--epochs=3"), "lr: training diverges at 1e+30"),
        (("--lr=nan",), "'nan' is not a finite number"),
        (("--device=7",), "no GPU 7"),
        (("--val={train}",), "instances_x.json: scene A is also in"),
        (("--train=nowhere",), "nowhere: cannot be read"),
        (("--val=nowhere.json",), "nowhere.json: cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(data, tmp_path, options, complaint):
    options = [one.format(train=data / "train") for one in options]
    ended = call("train", *words(data, tmp_path / "m", *options))
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("error: ")
    assert complaint in ended.err.splitlines()[-1]
    assert not list(tmp_path.iterdir())

"""The network and the files of models: sizes, nodata, what is loaded again, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import checkpoints
from pipelines.cerulean import models
from pipelines.cerulean.classes import named
from pipelines.errors import BadInput

ITS = named("usual")
CONFIG = models.Config(
    channels=("vv", "density"), classes=ITS.names, numbers=ITS.numbers, dropped=("ambiguous",), width=3,
    depth=3, mean=(110.0, 20.0), std=(30.0, 9.0), tile_length=64,
)  # fmt: skip


def network(config=CONFIG, seed=0):
    """With statistics as after some training, so that nothing in it is 0 or 1 by chance."""
    torch.manual_seed(seed)
    made = models.build(config)
    made.train()(torch.rand(4, len(config.channels), 32, 32) * 255)
    return made.eval()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.integers(1, 5))
def test_any_size_gives_a_map_of_that_size(height, width, count, depth):
    its = network(replace(CONFIG, depth=depth))
    tiles = np.random.default_rng(height).integers(0, 256, (count, 3, height, width)).astype(np.uint8)
    found = models.probabilities(its, CONFIG, tiles)
    assert found.shape == (count, 4, height, width)
    assert found.dtype == np.float32
    nodata = tiles[:, 0] == 0
    np.testing.assert_allclose(found.sum(1)[~nodata], 1, rtol=1e-5)
    assert (found.transpose(0, 2, 3, 1)[nodata] == 0).all()


def test_only_the_chosen_channels_count():
    its = network()
    tiles = np.random.default_rng(1).integers(1, 256, (1, 3, 32, 32)).astype(np.uint8)
    first = models.probabilities(its, CONFIG, tiles)
    other = tiles.copy()
    other[:, 1] = 255 - tiles[:, 1]
    np.testing.assert_array_equal(models.probabilities(its, CONFIG, other), first)
    other[:, 2] = 255 - tiles[:, 2]
    assert (models.probabilities(its, CONFIG, other) != first).any()


def test_in_nodata_the_other_channels_say_nothing_and_dark_water_is_not_nodata():
    its = network()
    images = torch.full((1, 2, 32, 32), 100.0)
    images[:, 0, :, :16] = 0
    changed = images.clone()
    changed[:, 1, :, :16] = 255
    with torch.inference_mode():
        assert torch.equal(its(images), its(changed))
        dark = images.clone()
        dark[:, 0, :, :16] = 1
        assert not torch.equal(its(images), its(dark))


def test_a_pixel_far_from_the_rim_scores_the_same_in_every_tile():
    its = network()
    tiles = np.random.default_rng(2).integers(1, 256, (1, 3, 160, 160)).astype(np.uint8)
    whole = models.probabilities(its, CONFIG, tiles)
    part = models.probabilities(its, CONFIG, tiles[:, :, 16:144, 24:152])
    np.testing.assert_allclose(part[:, :, 56:72, 56:72], whole[:, :, 72:88, 80:96], atol=1e-6)


def test_what_is_saved_is_loaded_again_and_is_the_same_from_run_to_run(tmp_path):
    made = network()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        models.save(tmp_path / name, made, CONFIG)
    assert (tmp_path / "a" / models.MODEL).read_bytes() == (tmp_path / "b" / models.MODEL).read_bytes()
    again, config = models.load(tmp_path / "a")
    assert config == CONFIG
    script = models.load_script(tmp_path / "a" / models.SCRIPT)
    images = torch.rand(3, 2, 41, 70) * 255
    with torch.inference_mode():
        expected = made(images)
        torch.testing.assert_close(again(images), expected)
        torch.testing.assert_close(script(images), expected)
    content = torch.load(tmp_path / "a" / models.MODEL, weights_only=True)
    assert sorted(content) == ["config", "state"]


@pytest.mark.parametrize("broken", ["_scripted", "_filled"])
def test_a_model_that_loads_as_another_one_is_not_written(tmp_path, monkeypatch, broken):
    other = getattr(models, broken)(
        network(seed=1) if broken == "_scripted" else models.content(network(seed=1), CONFIG)
    )
    monkeypatch.setattr(models, broken, lambda _: other)
    with pytest.raises(RuntimeError, match="does not give the scores of the network"):
        models.save(tmp_path, network(), CONFIG)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (None, "model.pt: cannot be read"),
        ({"config": {}}, "is no model of train"),
        ({"state": {}}, "is of another architecture: it has no tensor"),
        ({"config": CONFIG.plain | {"width": 4}}, "is of another architecture"),
        ({"config": CONFIG.plain | {"channels": ["vv", "sar"]}}, "is no model of train"),
        ({"config": CONFIG.plain | {"classes": ["infra_slick", "background"]}}, "is no model of train"),
        ({"config": CONFIG.plain | {"mean": [1.0]}}, "is no model of train"),
        ({"config": CONFIG.plain | {"depth": "x"}}, "is no model of train"),
    ],
)
def test_files_that_are_no_models_are_refused(tmp_path, change, complaint):
    if change is not None:
        checkpoints.save(tmp_path / models.MODEL, models.content(network(), CONFIG) | change)
    with pytest.raises(BadInput, match=complaint):
        models.load(tmp_path / models.MODEL)


def test_what_is_no_torchscript_is_refused(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"PK nothing")
    with pytest.raises(BadInput, match="x.pt: is no TorchScript"):
        models.load_script(tmp_path / "x.pt")
    with pytest.raises(BadInput, match="y.pt: cannot be read"):
        models.load_script(tmp_path / "y.pt")


@pytest.mark.filterwarnings("always")
def test_torchscript_in_place_of_a_model_is_refused_without_what_torch_says(tmp_path, recwarn):
    models.save(tmp_path, network(), CONFIG)
    recwarn.clear()
    with pytest.raises(BadInput, match="model.torchscript.pt: is no checkpoint"):
        models.load(tmp_path / models.SCRIPT)
    assert not recwarn.list

"""Tiles and truths as they come out of a dataset's files, and what a network sees of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from pipelines.cerulean.classes import IDS, NAMES, named
from pipelines.cerulean.matching import IGNORED
from pipelines.cerulean.tiles_data import LEAST_DEVIATION, TileSet
from pipelines.cerulean.training_batches import loss, seen, stacked
from pipelines.errors import BadInput
from tests.pipelines.cerulean.tile_datasets import CATEGORIES, sea_tiles, write_dataset


def random_tiles(count, rng):
    tiles = []
    for _ in range(count):
        height, width = rng.integers(5, 40, 2)
        pixels = rng.integers(0, 256, (3, height, width)).astype(np.uint8)
        names = rng.choice(NAMES[1:], rng.integers(0, 5))
        tiles.append((pixels, [(name, rng.random((height, width)) < 0.3) for name in names]))
    pixels, _ = tiles[0]
    tiles[0] = pixels, [("natural_seep", np.ones(pixels.shape[1:], bool))]  # fills its tile
    return tiles


@pytest.mark.parametrize("remap", ["none", "usual", "slick", "infra_slick=natural_seep,old_vessel="])
def test_truths_are_the_masks_painted_one_over_the_other(tmp_path, remap):
    tiles, its = random_tiles(12, np.random.default_rng(5)), named(remap)
    found = TileSet(write_dataset(tmp_path, tiles), its)
    for index, (pixels, layers) in enumerate(tiles):
        expected = np.zeros(pixels.shape[1:], int)
        for row in range(expected.shape[0]):
            for col in range(expected.shape[1]):
                over = [name for name, mask in layers if mask[row, col]]
                if pixels[0, row, col] == 0 or (over and over[-1] in its.dropped):
                    expected[row, col] = IGNORED
                elif over:
                    expected[row, col] = its.numbers[IDS[over[-1]]]
        read, truth = found.read(index)
        np.testing.assert_array_equal(read, pixels)
        np.testing.assert_array_equal(truth, expected)
    assert found.tile_length == max(max(pixels.shape) for pixels, _ in tiles)


def test_a_survey_counts_what_is_not_nodata(tmp_path):
    tiles = random_tiles(9, np.random.default_rng(6))
    tiles = [(np.concatenate([one[:2], np.full_like(one[:1], 7)]), layers) for one, layers in tiles]
    found = TileSet(write_dataset(tmp_path, tiles), named("usual"))
    survey = found.survey()
    values = np.concatenate([one[:, one[0] > 0] for one, _ in tiles], 1).astype(float)
    np.testing.assert_allclose(survey.mean, values.mean(1))
    np.testing.assert_allclose(survey.std[:2], values.std(1)[:2])
    assert survey.std[2] == LEAST_DEVIATION  # it is the same everywhere
    truths = np.concatenate([found.read(index)[1].ravel() for index in range(len(found))])
    assert survey.counts.tolist() == [(truths == number).sum() for number in range(4)]


def test_categories_are_known_by_name_and_not_by_number(tmp_path):
    mixed = [{**one, "id": 90 - one["id"]} for one in CATEGORIES]
    tiles = sea_tiles(2)
    one, other = (
        TileSet(write_dataset(tmp_path / name, tiles, categories=categories), named("none"))
        for name, categories in (("a", CATEGORIES), ("b", mixed))
    )
    for index in (0, 1):
        np.testing.assert_array_equal(one.read(index)[1], other.read(index)[1])


@pytest.mark.parametrize(("memory", "workers"), [(0, 1), (10_000, 3), (2**30, 2)])
def test_batches_are_the_same_for_any_memory_and_number_of_workers(tmp_path, memory, workers):
    tiles = sea_tiles(7, size=32)
    found = TileSet(write_dataset(tmp_path, tiles), named("usual"), memory, workers)
    for _ in range(2):
        batches = list(found.batches([[3, 1], [6], [0, 3, 5]]))
        assert [len(one) for one in batches] == [2, 1, 3]
        for index, (pixels, _) in zip([3, 1, 6, 0, 3, 5], sum(batches, []), strict=True):
            np.testing.assert_array_equal(pixels, tiles[index][0])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"images": []}, "instances_x.json: has no images"),
        ({"annotations": None}, "is not a COCO document: it has no list 'annotations'"),
        ({"categories": [{"id": 1, "name": "infra_slik"}]}, "category 'infra_slik' is no class.*infra_slick"),
        ("height", "image 1 has no height and width"),
        ("size", "tile_0.tif: is 3 x 48 x 48 of uint8, not 3 x 49 x 48 of uint8"),
        ("mask", "annotation 1 is 48 by 47 pixels, not its tile's size"),
        ("counts", "annotation 1 has no segmentation that pycocotools reads"),
        ("gone", "tile_0.tif: is not there"),
        ("broken", "tile_0.tif: cannot be read"),
    ],
)
def test_bad_datasets_are_refused(tmp_path, change, complaint):
    path = write_dataset(tmp_path, sea_tiles(1))
    document = json.loads(path.read_text())
    tile = tmp_path / document["images"][0]["file_name"]
    if isinstance(change, dict):
        document["annotations"] = []
        document.update(change)
    elif change == "height":
        del document["images"][0]["height"]
    elif change == "size":
        document["images"][0]["height"] = 49
    elif change == "mask":
        document["annotations"][0]["segmentation"] = {"size": [48, 47], "counts": [48 * 47]}
    elif change == "counts":
        document["annotations"][0]["segmentation"] = 5
    elif change == "gone":
        tile.unlink()
    else:
        tile.write_bytes(b"II*\0 and no more")
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match=complaint):
        TileSet(path, named("usual")).survey()


def test_a_folder_stands_for_its_only_document(tmp_path):
    path = write_dataset(tmp_path, sea_tiles(1))
    assert TileSet(tmp_path, named("usual")).path == path
    path.with_name("instances_y.json").write_bytes(path.read_bytes())
    with pytest.raises(BadInput, match="holds not one .* but instances_x.json, instances_y.json"):
        TileSet(tmp_path, named("usual"))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), crop=st.integers(0, 24), augment=st.booleans())
def test_what_is_seen_keeps_pixels_and_truth_together(seed, crop, augment):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(3, 30, 2)
    place = np.arange(height * width).reshape(height, width)
    pixels = np.stack([np.full_like(place, 100), place % 256, place // 256]).astype(np.uint8)
    pixels[0, rng.random((height, width)) < 0.2] = 0
    truth = (place % 3).astype(np.uint8)
    before = pixels.copy()
    found, its = seen((pixels, truth), crop, augment, rng)
    np.testing.assert_array_equal(pixels, before)
    where = found[1].astype(int) + 256 * found[2].astype(int)
    np.testing.assert_array_equal(its, where % 3)
    np.testing.assert_array_equal(found[0] == 0, pixels[0].ravel()[where] == 0)
    sides = (min(height, crop or height), min(width, crop or width))
    assert its.shape in ({sides, sides[::-1]} if augment else {sides})
    rows, cols = np.unique(where // width), np.unique(where % width)
    assert (np.diff(rows) == 1).all()
    assert (np.diff(cols) == 1).all()
    if not augment:
        np.testing.assert_array_equal(found[0], pixels[0].ravel()[where])


def test_all_views_and_parts_come_up():
    truth = np.zeros((6, 6), np.uint8)
    truth[0, 1] = 1
    pixels = np.full((3, 6, 6), 100, np.uint8)
    rng = np.random.default_rng(0)
    corners = {tuple(np.argwhere(seen((pixels, truth), 0, True, rng)[1] == 1)[0]) for _ in range(80)}
    assert len(corners) == 8
    shares = [bool((seen((pixels, truth), 2, False, rng)[1] == 1).any()) for _ in range(300)]
    assert 0.45 < np.mean(shares) < 0.65  # 2 of 25 parts by chance; half of the times the slick is looked for


def test_smaller_tiles_go_on_with_nodata():
    rng = np.random.default_rng(1)
    batch = [
        (rng.integers(1, 256, (3, *shape)).astype(np.uint8), rng.integers(0, 3, shape).astype(np.uint8))
        for shape in ((4, 7), (6, 5))
    ]
    pixels, truth = stacked(batch, [0, 2])
    assert pixels.shape == (2, 2, 6, 7)
    np.testing.assert_array_equal(pixels[0, :, :4, :7], batch[0][0][[0, 2]])
    assert (pixels[0, :, 4:] == 0).all()
    assert (truth[1, :, 5:] == IGNORED).all()
    np.testing.assert_array_equal(truth[1, :6, :5], batch[1][1])


def test_the_loss_is_cross_entropy_and_dice_over_what_is_known():
    rng = np.random.default_rng(2)
    scores = rng.normal(0, 2, (2, 4, 5, 6))
    truth = rng.choice([0, 1, 2, IGNORED], (2, 5, 6)).astype(np.uint8)
    weights = np.array([0.2, 1.0, 0.5, 0.7])
    likely = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    known = truth != IGNORED
    flat = likely.transpose(0, 2, 3, 1)[known]
    entropy = log_loss(truth[known], flat, labels=[0, 1, 2, 3], sample_weight=weights[truth[known]])
    dice = [
        2 * flat[truth[known] == number, number].sum()
        / (flat[:, number].sum() + (truth[known] == number).sum())
        for number in (1, 2)  # 3 is not there, 0 is background
    ]  # fmt: skip
    found = loss(torch.tensor(scores), torch.from_numpy(truth), torch.tensor(weights))
    assert float(found) == pytest.approx(entropy + 1 - np.mean(dice), rel=1e-6)
    nothing = loss(torch.tensor(scores), torch.full((2, 5, 6), IGNORED, dtype=torch.uint8),
                   torch.tensor(weights))  # fmt: skip
    assert float(nothing) == 0

"""Masks as COCO has them agree with brute force, and tiles with the scene that they are cut from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from pipelines.cerulean import coco_tiles
from pipelines.cerulean.classes import NAMES
from pipelines.cerulean.layers import Layer
from pipelines.cerulean.tiling import tiles


def decoded(mask):
    return coco.decode({"size": list(mask.size), "counts": mask.counts}).astype(bool)


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_an_encoded_mask_is_the_mask_with_its_area_and_box(mask):
    mask[0, 0] |= not mask.any()
    found = coco_tiles.encoded(mask)
    rows, cols = np.nonzero(mask)
    assert (decoded(found) == mask).all()
    assert found.size == mask.shape
    assert found.area == len(rows)
    left, top = min(cols), min(rows)
    assert found.box == (left, top, max(cols) - left + 1, max(rows) - top + 1)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.sampled_from([32, 33, 64, 0]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.02, 1.0]),
)
def test_the_masks_of_all_tiles_are_the_layer(shape, length, seed, density):
    random = np.random.default_rng(seed)
    whole = random.random(shape) < density
    whole[random.integers(shape[0]), random.integers(shape[1])] = True
    rows, cols = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
    layer = Layer(1, rows[0], cols[0], whole[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    grid = list(tiles(*shape, length))

    masks = coco_tiles.masks_of(layer, shape, grid)

    union = np.zeros(shape, bool)
    for tile in grid:
        rows, cols = tile.inside(*shape)
        assert (tile.index in masks) == whole[rows, cols].any()
        if tile.index in masks:
            mask = decoded(masks[tile.index])
            assert mask.shape == (tile.height, tile.width)
            union[rows, cols] = mask[tile.placed(*shape)]
            assert mask.sum() == whole[rows, cols].sum()  # nothing in the padding
    assert (union == whole).all()


def test_ids_of_a_document_are_unique_and_consecutive_and_annotations_follow_their_image():
    parts = [({"file_name": f"{number}"}, [{"category_id": 1}] * (number % 3)) for number in range(450)]
    made = coco_tiles.document({}, parts)
    assert [image["id"] for image in made["images"]] == list(range(1, 451))
    assert [one["id"] for one in made["annotations"]] == list(range(1, 451))
    of = {image["id"]: image["file_name"] for image in made["images"]}
    assert [of[one["image_id"]] for one in made["annotations"]] == [
        f"{number}" for number in range(450) for _ in range(number % 3)
    ]


def test_categories_have_the_ids_of_the_class_table_without_background():
    assert [(one["id"], one["name"]) for one in coco_tiles.categories()] == list(enumerate(NAMES))[1:]


@pytest.mark.parametrize("index", [0, 199, 200, 201, 1536])
def test_tiles_are_named_by_scene_and_index(index):
    assert coco_tiles.tile_name("S1A", index) == f"S1A_vv-image_local_tile_{index}.tif"

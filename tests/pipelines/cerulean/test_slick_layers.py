"""Annotation layers: their class by colour, their pixels, and pictures that are no layer of one class."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.cerulean import layers
from pipelines.cerulean.classes import CLASSES, IDS
from pipelines.cerulean.scenes import Scene
from pipelines.errors import BadInput
from tests.pipelines.cerulean.scene_folders import COLOURS, write_layer, write_scene

SHAPE = (13, 21)  # not square
MASK = np.zeros(SHAPE, bool)
MASK[4:9, 3:17] = True
MASK[6, 10] = False
WHITE = np.where(MASK, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.name)
def test_every_class_is_found_by_its_colour(tmp_path, one):
    path = write_layer(tmp_path / "any name.png", MASK, one.colour)
    number, mask = layers.read_layer(path, SHAPE)
    assert number == IDS[one.name]
    assert (mask == MASK).all()


def save(path: Path, kind: str) -> None:
    """A white layer, as programs save one that has only one colour."""
    grey, alpha = Image.fromarray(WHITE), Image.fromarray(np.stack([WHITE | 7, WHITE], axis=2))
    if kind == "grey, alpha":
        alpha.save(path)
    elif kind == "grey":
        grey.save(path)
    elif kind == "grey, clear black":
        grey.save(path, transparency=0)
    elif kind == "1 bit":
        grey.convert("1").save(path)
    elif kind == "RGB":
        grey.convert("RGB").save(path)
    elif kind == "RGB, clear black":
        grey.convert("RGB").save(path, transparency=(0, 0, 0))
    else:
        table = Image.fromarray(MASK.astype(np.uint8))
        table.putpalette([0, 0, 0, 255, 255, 255, 1, 2, 3])  # the last is used by no pixel
        table.save(path, **({"transparency": 0} if "clear" in kind else {}))


KINDS = ["grey, alpha", "grey", "grey, clear black", "1 bit", "RGB", "RGB, clear black"]
KINDS += ["palette", "palette, clear"]


@pytest.mark.parametrize("kind", KINDS)
def test_white_layers_saved_as_grey_or_palette_pictures_are_ambiguous(tmp_path, kind):
    """Trap: the original looks for four bands and finds none."""
    save(tmp_path / "a.png", kind)
    number, mask = layers.read_layer(tmp_path / "a.png", SHAPE)
    assert number == IDS["ambiguous"]
    assert (mask == MASK).all()


def test_a_palette_of_another_colour_is_of_its_class(tmp_path):
    table = Image.fromarray(MASK.astype(np.uint8))
    table.putpalette([9, 9, 9, 255, 0, 255])
    table.save(tmp_path / "a.png", transparency=0)
    assert layers.read_layer(tmp_path / "a.png", SHAPE)[0] == IDS["old_vessel"]


def test_black_is_a_colour_where_the_picture_could_be_transparent(tmp_path):
    with pytest.raises(BadInput, match=r"a\.png.*\(0, 0, 0\)|\(0, 0, 0\).*a\.png"):
        layers.read_layer(write_layer(tmp_path / "a.png", MASK, (0, 0, 0)), SHAPE)


def soft(alpha: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """RGBA (h, w, 4) whose colour went through 8 bits multiplied by its opacity, as editors keep it."""
    stored = np.round(np.array(colour) * alpha[..., None] / 255)
    back = np.round(stored * 255 / np.maximum(alpha[..., None], 1))
    return np.dstack([back, alpha]).astype(np.uint8)


@given(st.sampled_from(CLASSES), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_soft_edges_belong_to_the_layer_and_do_not_change_its_class(tmp_path_factory, one, seed):
    alpha = np.random.default_rng(seed).integers(0, 256, SHAPE)
    alpha[5, 5] = 255
    path = tmp_path_factory.mktemp("soft") / "a.png"
    Image.fromarray(soft(alpha, one.colour)).save(path)
    number, mask = layers.read_layer(path, SHAPE)
    assert number == IDS[one.name]
    assert (mask == (alpha > 0)).all()


def test_a_layer_so_faint_that_its_colour_is_lost_is_refused(tmp_path):
    pixels = np.zeros((*SHAPE, 4), np.uint8)
    pixels[MASK] = (0, 128, 255, 1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match="too transparent"):
        layers.read_layer(tmp_path / "a.png", SHAPE)


def test_an_unknown_colour_names_file_and_colour(tmp_path):
    path = write_layer(tmp_path / "slick_7.png", MASK, (0, 0, 254))
    with pytest.raises(BadInput) as caught:
        layers.read_layer(path, SHAPE)
    assert "slick_7.png" in str(caught.value)
    assert "(0, 0, 254)" in str(caught.value)


@pytest.mark.parametrize("away", [1, 2, 100])
def test_two_classes_in_one_layer_are_refused_wherever_the_second_lies(tmp_path, away, monkeypatch):
    monkeypatch.setattr(layers, "STRIP", 30)  # one row at a time
    pixels = np.zeros((*SHAPE, 4), np.uint8)
    pixels[MASK] = (0, 0, 255, 255)
    pixels.reshape(-1, 4)[np.flatnonzero(MASK)[-1 if away == 100 else away]] = (0, 255, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match="infra_slick and natural_seep"):
        layers.read_layer(tmp_path / "a.png", SHAPE)


def test_empty_layers_and_those_of_another_size_are_refused(tmp_path):
    path = write_layer(tmp_path / "a.png", np.zeros(SHAPE, bool), (0, 0, 255))
    with pytest.raises(BadInput, match="marks no pixel"):
        layers.read_layer(path, SHAPE)
    with pytest.raises(BadInput, match=r"21 x 13 pixels \(width x height\), its scene 13 x 21"):
        layers.read_layer(path, SHAPE[::-1])
    Image.fromarray(WHITE.astype(np.uint16)).save(path)
    with pytest.raises(BadInput, match="uint16"):
        layers.read_layer(path, SHAPE)


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.01, 0.3, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_strips_and_parts_are_those_of_the_whole_layer(tmp_path_factory, shape, seed, density):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    mask.flat[rng.integers(mask.size)] = True
    path = write_layer(tmp_path_factory.mktemp("parts") / "a.png", mask, (255, 0, 0))
    before, layers.STRIP = layers.STRIP, 64
    try:
        layer = layers.read_cropped(path, shape)
    finally:
        layers.STRIP = before
    assert layer.mask[[0, -1]].any(axis=1).all()
    assert layer.mask[:, [0, -1]].any(axis=0).all()
    (top, bottom), (left, right) = (sorted(rng.integers(0, size + 1, 2)) for size in shape)
    part = layer.part(slice(top, bottom), slice(left, right))
    assert (part == mask[top:bottom, left:right]).all()
    assert (layers.read_layer(path, shape)[1] == mask).all()


def test_of_layers_that_overlap_the_last_by_name_counts(tmp_path):
    shifted = np.roll(MASK, 3, axis=1)
    marks = {"b.png": (2, MASK), "a.png": (3, shifted), "c.png": (6, np.roll(MASK, 5, axis=0))}
    scene = Scene(write_scene(tmp_path, np.ones(SHAPE, np.uint8), marks))
    expected = np.zeros(SHAPE, np.uint8)
    for name in sorted(marks):
        number, mask = marks[name]
        expected[mask] = number
    assert (layers.label_map(scene) == expected).all()
    window = slice(3, 10), slice(5, 20)
    assert (layers.label_map(scene, window) == expected[window]).all()


def test_the_colours_of_the_reference():
    """The table of shared/reference/cerulean.md, in its order."""
    assert [(one.name, one.colour) for one in CLASSES] == [
        ("background", (0, 255, 255)), ("infra_slick", (0, 0, 255)), ("natural_seep", (0, 255, 0)),
        ("coincident_vessel", (255, 0, 0)), ("recent_vessel", (255, 255, 0)), ("old_vessel", (255, 0, 255)),
        ("ambiguous", (255, 255, 255)),
    ]  # fmt: skip
    assert len(COLOURS) == len(CLASSES)

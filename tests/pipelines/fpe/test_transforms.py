"""Photographs of every kind become arrays of one size, and chance changes them as it should."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.errors import BadInput
from pipelines.fpe.image_reading import Photos, check, decode
from pipelines.fpe.image_transforms import (
    ROTATION,
    Chances,
    Recipe,
    augmented,
    centre,
    drawn,
    evaluated,
    normalised,
    pixels,
    statistics,
)

RECIPE = Recipe(30, 40)


def photo(width=80, height=60, mode="RGB", seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def jpeg(image, **how):
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


def chances(count, **given):
    still = {"top": 0.5, "left": 0.5, "flip": False, "degrees": 0.0}
    still |= dict.fromkeys(("brightness", "contrast", "saturation"), 1.0)
    return Chances(**{name: np.full(count, value) for name, value in (still | given).items()})


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["RGB", "L", "P", "RGBA", "CMYK"]))
def test_images_of_any_size_and_mode_become_one_size(width, height, mode):
    assert evaluated(photo(width, height, mode), RECIPE).shape == (3, 24, 32)


def test_the_aspect_is_kept():
    image = Image.new("RGB", (100, 60))
    image.paste((255, 255, 255), (25, 15, 75, 45))  # the middle half of both sides
    seen = pixels(image, RECIPE)[0] > 127  # 40 x 30 of 50 x 30
    assert abs(int(seen.sum(0).max()) - 15) <= 1
    assert abs(int(seen.sum(1).max()) - 25) <= 1


def test_without_chance_the_crop_is_the_centre():
    batch = torch.from_numpy(np.stack([pixels(photo(seed=seed), RECIPE) for seed in range(2)]))
    middle = batch[:, :, 3:27, 4:36] / 255
    assert torch.equal(centre(batch, RECIPE), middle)
    torch.testing.assert_close(augmented(batch, RECIPE, chances(2)), middle, atol=1e-5, rtol=0)


def test_crops_flips_and_turns_are_those_of_a_slow_way():
    batch = torch.from_numpy(pixels(photo(), RECIPE)[None])
    corner = augmented(batch, RECIPE, chances(1, top=1.0, left=0.0))
    torch.testing.assert_close(corner, batch[:, :, 6:, :32] / 255, atol=1e-5, rtol=0)
    flipped = augmented(batch, RECIPE, chances(1, flip=True))
    torch.testing.assert_close(flipped, centre(batch, RECIPE).flip(3), atol=1e-5, rtol=0)
    half = augmented(batch, RECIPE, chances(1, degrees=180.0))
    torch.testing.assert_close(half, centre(batch, RECIPE).flip(2, 3), atol=1e-4, rtol=0)


def test_a_turn_is_that_of_pil():
    smooth = photo(8, 6).resize((40, 30), Image.Resampling.BICUBIC)
    seen = augmented(torch.from_numpy(pixels(smooth, RECIPE)[None]), RECIPE, chances(1, degrees=7.0))
    turned = smooth.rotate(7.0, Image.Resampling.BILINEAR)
    theirs = torch.from_numpy(pixels(turned, RECIPE)[None])
    inside = (..., slice(5, -5), slice(5, -5))
    torch.testing.assert_close(seen[inside], centre(theirs, RECIPE)[inside], atol=0.02, rtol=0)


def test_chance_is_within_bounds_and_the_same_for_a_seed():
    found = drawn(1000, np.random.default_rng(1))
    again = drawn(1000, np.random.default_rng(1))
    assert all(np.array_equal(getattr(found, name), getattr(again, name)) for name in vars(found))
    assert ROTATION * 0.98 < np.abs(found.degrees).max() <= ROTATION
    assert 0.4 < found.flip.mean() < 0.6
    assert 0.8 <= found.brightness.min() < 0.81 < 1.19 < found.brightness.max() <= 1.2


def test_jitter_changes_light_contrast_and_colour():
    batch = torch.from_numpy(pixels(photo(), RECIPE)[None])
    plain = centre(batch, RECIPE)
    dark = augmented(batch, RECIPE, chances(1, brightness=0.8))
    torch.testing.assert_close(dark, plain * 0.8, atol=1e-5, rtol=0)
    grey = augmented(batch, RECIPE, chances(1, saturation=0.0))
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    assert augmented(batch, RECIPE, chances(1, contrast=0.8)).std() < plain.std()


def test_decolorize_takes_colours_away():
    red, _, blue = pixels(photo(), replace(RECIPE, decolorize=True))
    assert np.array_equal(red, blue)


def test_normalised_training_images_have_mean_0_and_deviation_1():
    batch = np.stack([pixels(photo(seed=seed), RECIPE) for seed in range(5)])
    mean, std = statistics([batch[:2], batch[2:]])
    ready = normalised(torch.from_numpy(batch) / 255, replace(RECIPE, mean=mean, std=std))
    assert ready.mean((0, 2, 3)).abs().max() < 1e-5
    assert (ready.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5
    black = replace(RECIPE, std=statistics([np.zeros((1, 3, 4, 4), np.uint8)])[1])
    assert normalised(torch.zeros(1, 3, 4, 4), black).isfinite().all()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"no image at all", "is no image"),
        (jpeg(photo())[:1500], "is broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "is"),
    ],
)
def test_what_is_no_image_says_so(content, complaint):
    with pytest.raises(BadInput, match=complaint):
        decode(content)


def test_a_first_look_counts_grey_and_unreadable_images():
    files = {"a b(1).JPG": jpeg(photo()), "night.JPG": jpeg(photo(mode="L")), "empty.JPG": b"",
             "wide.JPG": jpeg(photo(160, 60)), "late.JPG": jpeg(photo(seed=2))}  # fmt: skip
    found = check(sorted(files), files.__getitem__)
    assert found.aspect == pytest.approx(4 / 3)
    assert found.grey == ("night.JPG",)
    assert found.unreadable == {"empty.JPG": "is empty"}
    with pytest.raises(BadInput, match="no image can be read, 'empty.JPG': is empty"):
        check(["empty.JPG"], files.__getitem__)


@pytest.mark.parametrize("memory", [0, 3 * 30 * 40, 1 << 30])
def test_photos_are_the_same_however_many_fit_in_memory(memory):
    files = {str(seed): jpeg(photo(seed=seed)) for seed in range(4)}
    read = []
    photos = Photos(lambda name: read.append(name) or files[name], RECIPE, memory, threads=1)
    for _ in range(2):
        batches = list(photos.batches([["0", "1"], ["2", "3"]]))
        together = np.concatenate(batches)
        assert np.array_equal(together, np.stack([pixels(decode(files[name]), RECIPE) for name in "0123"]))
    assert len(read) == 8 - min(memory // 3600, 4)

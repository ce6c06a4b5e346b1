"""Splits by hash: the shares they have, and what falls together."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.esrun.labelled_windows import LabeledWindow, RasterLabel
from pipelines.esrun.projection import Projection
from pipelines.esrun.proportions import Proportions, fraction
from pipelines.esrun.tools.data_splitters.random_data_splitter import RandomDataSplitter
from pipelines.esrun.tools.data_splitters.spatial_data_splitter import SpatialDataSplitter

UTM = Projection("EPSG:32613", 10, -10)


def window(left, top, name="w", projection=UTM):
    label = RasterLabel(np.zeros((2, 2), np.uint8))
    return LabeledWindow(name, projection, (left, top, left + 2, top + 2), None, label)


def test_shares_are_as_asked():
    splitter = RandomDataSplitter(0.7, 0.2, 0.1, seed=1)
    found = Counter(splitter.choose_split_for_window(window(i, -i)) for i in range(20_000))
    # 4 standard deviations of a binomial of 20,000
    assert abs(found["train"] - 14_000) < 260 and abs(found["val"] - 4_000) < 230
    assert abs(found["test"] - 2_000) < 170


def test_a_seed_is_another_draw_and_none_is_zero():
    def splits(seed):
        splitter = RandomDataSplitter(0.5, 0.25, 0.25, seed=seed)
        return [splitter.choose_split_for_window(window(i, 0)) for i in range(50)]

    assert splits(1) == splits(1) != splits(2)
    assert splits(None) == splits(0)


def test_windows_on_the_same_pixels_are_never_in_two_splits():
    splitter = RandomDataSplitter(0.4, 0.3, 0.3)
    whole = Projection("EPSG:32613", 10.0, -10.0)
    for i in range(40):
        first = splitter.choose_split_for_window(window(i, i, "a"))
        assert first == splitter.choose_split_for_window(window(i, i, "b", whole))


@given(st.integers(-500, 500), st.integers(-500, 500))
def test_a_cell_has_one_split(column, row):
    splitter = SpatialDataSplitter(0.4, 0.3, 0.3, grid_size=100)
    corner = window(column // 100 * 100, row // 100 * 100)
    assert splitter.choose_split_for_window(window(column, row)) == splitter.choose_split_for_window(corner)


def test_cells_are_spread_over_splits():
    splitter = SpatialDataSplitter(0.5, 0.25, 0.25, grid_size=100)
    cells = [(100 * i, 100 * j) for i in range(-40, 40) for j in range(-40, 40)]
    found = Counter(splitter.choose_split_for_window(window(*cell)) for cell in cells)
    assert abs(found["train"] - 3_200) < 160 and abs(found["val"] - 1_600) < 140


@pytest.mark.parametrize("shares", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.1 + 0.2, 0.7, 0), (1 / 3,) * 3])
def test_a_share_of_nothing_gets_nothing(shares):
    found = {Proportions(*shares).split(str(i)) for i in range(300)}
    assert found == {name for name, share in zip(("train", "val", "test"), shares, strict=True) if share}


@pytest.mark.parametrize("shares", [(0.5, 0.25, 0.2), (0.5, 0.6, -0.1), (0.5, 0.25, float("nan"))])
def test_shares_that_are_none(shares):
    with pytest.raises(ValueError, match=r"sum to|is not in 0 to 1"):
        Proportions(*shares)


def test_a_cell_of_no_size():
    with pytest.raises(ValueError, match="grid_size: 0 is not above 0"):
        SpatialDataSplitter(1, 0, 0, grid_size=0)


def test_the_hash_stays_what_it_is():
    """Splits of a dataset must not move with a new release."""
    assert fraction("") == pytest.approx(0xE3B0C44298FC1C14 / 2**64)
    assert 0 <= fraction("x") < 1

"""Areas cut into windows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.esrun.gridding import GridConfig

AREA = (44000, -446070, 44100, -446000)  # as olmoearth-runner 0.1.14 cuts it, too


@pytest.mark.parametrize(
    ("size", "strategy", "number", "first", "last"),
    [
        (32, "CENTER_CROP", 6, (44002, -446067, 44034, -446035), (44066, -446035, 44098, -446003)),
        (48, "center_crop", 2, (44002, -446059, 44050, -446011), (44050, -446059, 44098, -446011)),
        (32, "PAD_TO_FILL", 12, (44000, -446070, 44032, -446038), (44096, -446006, 44128, -445974)),
        (100, "pad_to_fill", 1, (44000, -446070, 44100, -445970), (44000, -446070, 44100, -445970)),
        (50, "center_crop", 2, (44000, -446060, 44050, -446010), (44050, -446060, 44100, -446010)),
    ],
)
def test_cells_of_an_area(size, strategy, number, first, last):
    cells = GridConfig(size, strategy).cells(AREA)
    assert (len(cells), cells[0], cells[-1]) == (number, first, last)


def test_an_area_smaller_than_a_window():
    assert GridConfig(71).cells(AREA) == []
    assert len(GridConfig(71, "PAD_TO_FILL").cells(AREA)) == 2


@given(
    st.tuples(st.integers(-99, 99), st.integers(-99, 99)),
    st.tuples(st.integers(1, 99), st.integers(1, 99)),
    st.integers(1, 40),
)
def test_cells_neither_overlap_nor_leave_gaps(corner, size, cell):
    (left, top), (width, height) = corner, size
    area = (left, top, left + width, top + height)

    def pixels(cells):
        return [(x, y) for a, b, c, d in cells for x in range(a, c) for y in range(b, d)]

    wanted = {(x, y) for x in range(left, left + width) for y in range(top, top + height)}
    cropped, padded = (pixels(GridConfig(cell, how).cells(area)) for how in ("CENTER_CROP", "PAD_TO_FILL"))
    assert len(cropped) == len(set(cropped)) and set(cropped) <= wanted
    assert len(cropped) == (width // cell) * (height // cell) * cell**2
    assert len(padded) == len(set(padded)) and set(padded) >= wanted


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "window_size_px is missing"),
        ({"window_size_px": 0}, "window_size_px: 0 is no whole number above 0"),
        ({"window_size_px": 3.5}, "window_size_px: 3.5"),
        ({"window_size_px": 3, "gridding_strategy": "crop"}, "'crop' is neither"),
        ({"window_size": 3}, "no key 'window_size'.*window_size_px"),
        ([3], "must be a mapping"),
    ],
)
def test_what_is_no_grid(data, said):
    with pytest.raises(ValueError, match=said):
        GridConfig.from_json(data)

"""An area of pixels cut into square windows of one size.

Projecting shapes to pixels does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kwdag.errors import did_you_mean
from pipelines.esrun.projection import Bounds
from pipelines.esrun.rasterizing import check_size

CENTER_CROP, PAD_TO_FILL = "center_crop", "pad_to_fill"


@dataclass(frozen=True)
class GridConfig:
    """How an area is cut.

    Attributes:
        window_size_px: width and height of a window in pixels.
        gridding_strategy: CENTER_CROP, as many whole windows as fit, the rest cut away evenly on all sides
            (of an odd number of pixels the larger half right and below); PAD_TO_FILL, from the upper left
            corner on, the last ones reaching out of the area. In any case of letters.

    Raises:
        ValueError: a size below 1 or far too large, or another strategy.
    """

    window_size_px: int
    gridding_strategy: str = CENTER_CROP

    def __post_init__(self) -> None:
        size, strategy = self.window_size_px, str(self.gridding_strategy).lower()
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"window_size_px: {size!r} is no whole number above 0")
        check_size(size, "window_size_px")
        if strategy not in (CENTER_CROP, PAD_TO_FILL):
            raise ValueError(
                f"gridding_strategy: {self.gridding_strategy!r} is neither CENTER_CROP nor PAD_TO_FILL"
            )
        object.__setattr__(self, "gridding_strategy", strategy)

    @classmethod
    def from_json(cls, data: Any) -> GridConfig:
        """Raises ValueError: no mapping, a key that is not known, or no window_size_px."""
        keys = ("window_size_px", "gridding_strategy")
        if not isinstance(data, Mapping):
            raise ValueError(f"grid_config: must be a mapping, not {data!r}")
        for key in data:
            if key not in keys:
                near = did_you_mean(str(key), keys)
                raise ValueError(f"grid_config: no key {key!r}{'; ' + near if near else ''}")
        if "window_size_px" not in data:
            raise ValueError("grid_config: window_size_px is missing")
        return cls(**data)

    def cells(self, bounds: Bounds) -> list[Bounds]:
        """Windows from left to right and from top to bottom; none where CENTER_CROP fits none.

        >>> GridConfig(32).cells((0, -40, 70, 0))
        [(3, -36, 35, -4), (35, -36, 67, -4)]
        """
        size, (left, top, right, bottom) = self.window_size_px, bounds
        width, height = right - left, bottom - top
        if self.gridding_strategy == PAD_TO_FILL:
            columns, rows = -(-width // size), -(-height // size)
        else:
            columns, rows = width // size, height // size
            left, top = left + (width - columns * size) // 2, top + (height - rows * size) // 2
        return [
            (left + x * size, top + y * size, left + (x + 1) * size, top + (y + 1) * size)
            for y in range(rows)
            for x in range(columns)
        ]

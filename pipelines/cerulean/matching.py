"""Slicks as masks, true or found, how alike two of them are, and which belong together.

Where the masks come from stands in evaluation_scenes.py; scores do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Instance:
    """One slick of a scene.

    Attributes:
        number: of its class among the model's; `IGNORED` for a true one that the model leaves out.
        score: of a found one, higher is surer; 1 of a true one.
        row, col: where the upper left pixel of ``mask`` lies in the scene.
        mask: bool (height, width), no larger than the slick; (0, 0) if it covers no pixel's centre.
    """

    number: int
    score: float
    row: int
    col: int
    mask: np.ndarray

    @property
    def area(self) -> int:
        """In pixels."""
        return int(self.mask.sum())

    @property
    def box(self) -> Box:
        """Edges in the scene's pixels: top, left, bottom, right."""
        height, width = self.mask.shape
        return self.row, self.col, self.row + height, self.col + width


IGNORED = 255


def cropped(number: int, score: float, mask: np.ndarray, row: int = 0, col: int = 0) -> Instance:
    """The instance that a mask (height, width) holds whose upper left pixel lies at ``row`` and ``col``."""
    import numpy as np

    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Instance(number, score, row, col, np.zeros((0, 0), bool))
    part = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].copy()  # not a view of a whole scene
    return Instance(number, score, row + int(rows[0]), col + int(cols[0]), part)


def painted(instances: Iterable[Instance], box: Box) -> np.ndarray:
    """uint8 (height, width) of a box of the scene: the number of the class at each pixel, 0 elsewhere.

    Later instances cover earlier ones.
    """
    import numpy as np

    top, left, bottom, right = box
    picture = np.zeros((bottom - top, right - left), np.uint8)
    for one in instances:
        part = _clipped(one, box)
        height, width = part.mask.shape
        row, col = part.row - top, part.col - left
        picture[row : row + height, col : col + width][part.mask] = part.number
    return picture


def common(a: Instance, b: Instance) -> int:
    """How many pixels both cover."""
    top, left, bottom, right = _both(a.box, b.box)
    if top >= bottom or left >= right:
        return 0
    first, second = (
        one.mask[top - one.row : bottom - one.row, left - one.col : right - one.col] for one in (a, b)
    )
    return int((first & second).sum())


def shared(a: Sequence[Instance], b: Sequence[Instance]) -> np.ndarray:
    """int64 (a, b): how many pixels two of them have in common."""
    import numpy as np

    found = np.zeros((len(a), len(b)), np.int64)
    for i, j in np.argwhere(_box_areas(a, b) > 0):  # few of the pairs, as a rule
        found[i, j] = common(a[i], b[j])
    return found


def mask_ious(truths: Sequence[Instance], found: Sequence[Instance]) -> np.ndarray:
    """float64 (truths, found): pixels of both over pixels of either; 0 where neither has any."""
    return _ious(shared(truths, found), [one.area for one in truths], [one.area for one in found])


def box_ious(truths: Sequence[Instance], found: Sequence[Instance]) -> np.ndarray:
    """The same of their boxes."""
    return _ious(
        _box_areas(truths, found), [one.mask.size for one in truths], [one.mask.size for one in found]
    )


def share_within(one: Instance, others: Sequence[Instance]) -> float:
    """Share of the pixels of ``one`` that any of ``others`` covers; 0 if it has no pixel."""
    covered = painted((Instance(1, 1.0, part.row, part.col, part.mask) for part in others), one.box) > 0
    return int((covered & one.mask).sum()) / one.area if one.area else 0.0


def assign(alike: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """The one-to-one matching of rows and columns that are at least ``threshold`` alike, and at all.

    As many pairs as can be, and of such matchings the one whose likenesses sum to most.
    """
    from pipelines.geowatch import matching

    return matching.assign(alike, threshold)


def _ious(both: np.ndarray, true_areas: Sequence[int], found_areas: Sequence[int]) -> np.ndarray:
    import numpy as np

    either = np.add.outer(np.asarray(true_areas, np.int64), np.asarray(found_areas, np.int64)) - both
    return np.divide(both, either, out=np.zeros(both.shape), where=either > 0)


def _box_areas(a: Sequence[Instance], b: Sequence[Instance]) -> np.ndarray:
    """int64 (a, b): the area that two boxes have in common."""
    import numpy as np

    first = np.array([one.box for one in a], np.int64).reshape(-1, 1, 4)
    second = np.array([one.box for one in b], np.int64).reshape(1, -1, 4)
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    area: np.ndarray = np.maximum(sides, 0).prod(axis=-1)
    return area


def _clipped(one: Instance, box: Box) -> Instance:
    top, left, bottom, right = _both(one.box, box)
    bottom, right = max(top, bottom), max(left, right)
    mask = one.mask[top - one.row : bottom - one.row, left - one.col : right - one.col]
    return Instance(one.number, one.score, top, left, mask)


def _both(a: Box, b: Box) -> Box:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])

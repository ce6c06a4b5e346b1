"""How well the slicks of scenes were found, one by one: confusion, Dice and IoU.

How two slicks are compared stands in matching.py; average precision has its own module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.cerulean import matching
from pipelines.cerulean.confusions import Confusion, mean
from pipelines.cerulean.matching import IGNORED, Instance

if TYPE_CHECKING:
    import numpy as np

#: Thresholds of IoU, 0.05 to 0.95; 3/20 must be equal to the third of them, which numpy.arange does not give.
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
EXCUSED = 0.5  # share of a found slick within true ones that are left out, from which it is not false


@dataclass(frozen=True, eq=False)
class Case:
    """A scene whose slicks are compared.

    Attributes:
        scene_id: its Sentinel-1 id.
        shape: its height and width.
        layers: all that was annotated, lower layers first, with the numbers of the model's classes:
            0 (background) and `IGNORED` are possible.
        found: slicks that were found, in the order of their file.
    """

    scene_id: str
    shape: tuple[int, int]
    layers: Sequence[Instance]
    found: Sequence[Instance]

    @property
    def truths(self) -> list[Instance]:
        """The slicks to be found."""
        return [one for one in self.layers if one.number not in (0, IGNORED)]

    @property
    def ignored(self) -> list[Instance]:
        """Slicks that need not be found, and may be."""
        return [one for one in self.layers if one.number == IGNORED]


@dataclass(frozen=True, eq=False)
class Compared:
    """A case with the likeness of each true and each found slick, which all thresholds share.

    Attributes:
        masks, boxes: float64 (truths, found), IoU.
        excused: the places of found slicks that are not false when they match no true one.
    """

    truths: Sequence[Instance]
    found: Sequence[Instance]
    masks: np.ndarray
    boxes: np.ndarray
    excused: frozenset[int]


def compare(case: Case) -> Compared:
    """The likeness of all true and found slicks of a scene, whatever their classes."""
    truths, ignored = case.truths, case.ignored
    excused = frozenset(
        place for place, one in enumerate(case.found)
        if ignored and matching.share_within(one, ignored) >= EXCUSED
    )  # fmt: skip
    masks, boxes = matching.mask_ious(truths, case.found), matching.box_ious(truths, case.found)
    return Compared(truths, case.found, masks, boxes, excused)


def confusion(cases: Sequence[Compared], names: Sequence[str], threshold: float) -> Confusion:
    """Slicks by true and by found class, matched one to one where the IoU of masks reaches ``threshold``.

    A missed slick counts as found to be background, a false one as truly background. Matching does not look
    at classes: it is the matrix that tells which are mixed up.
    """
    import numpy as np

    counts = np.zeros((len(names), len(names)), np.int64)
    for case in cases:
        pairs = matching.assign(case.masks, threshold)
        for true, found in pairs:
            counts[case.truths[true].number, case.found[found].number] += 1
        for place in set(range(len(case.truths))) - {true for true, _ in pairs}:
            counts[case.truths[place].number, 0] += 1
        for place in set(range(len(case.found))) - {found for _, found in pairs} - case.excused:
            counts[0, case.found[place].number] += 1
    return Confusion(names, counts)


def likeness(cases: Sequence[Compared]) -> dict[str, float | None]:
    """Average Dice and IoU of masks (`pixels`) and of boxes over all true slicks; a missed one counts 0.

    Slicks are paired one to one wherever masks (or boxes) touch; Dice is 2 IoU / (1 + IoU) of a pair.
    None if nothing is there to be found.
    """
    found = {
        kind: [value for case in cases for value in _best(case.masks if kind == "pixels" else case.boxes)]
        for kind in ("pixels", "boxes")
    }
    return {
        **{f"iou_{kind}": mean(values) for kind, values in found.items()},
        **{
            f"dice_{kind}": mean(2 * value / (1 + value) for value in values)
            for kind, values in found.items()
        },
    }


def _best(alike: np.ndarray) -> list[float]:
    """For each row, how alike its partner is; 0 without one."""
    from scipy.optimize import linear_sum_assignment

    values = [0.0] * len(alike)
    for row, column in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
        values[row] = float(alike[row, column])
    return values

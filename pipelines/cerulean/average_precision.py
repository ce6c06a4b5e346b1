"""COCO's average precision of found slicks, by pycocotools.

Scores of matched slicks at one threshold stand in instance_metrics.py.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pipelines.cerulean.confusions import mean
from pipelines.cerulean.instance_metrics import THRESHOLDS, Case

if TYPE_CHECKING:
    import numpy as np

    from pipelines.cerulean.matching import Instance

Kind = Literal["segm", "bbox"]
_RECALLS = 101  # at which COCO looks up the precision
_PIXELS = 2**22  # of a mask at a time


def average_precision(
    cases: Sequence[Case], names: Sequence[str], kind: Kind = "segm"
) -> Mapping[str, list[float | None]]:
    """Average precision of each class but background at each of `THRESHOLDS`; None for one that is not there.

    As COCO has it: over slicks of all sizes and as many detections as there are; true slicks that the model
    leaves out are its crowds, which excuse a detection of any class that they cover.

    Args:
        names: of the classes, background first.
        kind: IoU of masks or of boxes.
    """
    import numpy as np
    from pycocotools.cocoeval import COCOeval

    truth = {"annotations": list(_numbered(cases, _true(cases, names)))}
    found = {"annotations": list(_numbered(cases, _found(cases)))}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        evaluation = COCOeval(*(_coco(part, cases, names) for part in (truth, found)), iouType=kind)
        params = evaluation.params
        params.iouThrs = np.array(THRESHOLDS)
        params.recThrs = np.linspace(0, 1, _RECALLS)
        params.maxDets = [max(1, *(len(case.found) for case in cases))] if cases else [1]
        params.areaRng, params.areaRngLbl = [[0, float("inf")]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, 0]  # thresholds, recalls, classes
    return {
        name: [None if (row == -1).any() else float(row.mean()) for row in precision[:, :, place]]
        for place, name in enumerate(names[1:])
    }


def averages(found: Mapping[str, Sequence[float | None]]) -> list[float | None]:
    """The mean over the classes that are there, at each threshold."""
    return [mean(values) for values in zip(*found.values(), strict=True)]


def rle(one: Instance, shape: tuple[int, int]) -> dict[str, Any]:
    """The mask of an instance as COCO's compressed run-length code of its scene, never as a whole scene."""
    import numpy as np
    from pycocotools import mask as masks

    height, width = shape
    starts, ends = _runs(one, height)
    apart = starts[1:] != ends[:-1]  # else a run goes on at the top of the next column
    starts, ends = np.append(starts[:1], starts[1:][apart]), np.append(ends[:-1][apart], ends[-1:])
    edges = [0, *np.stack([starts, ends], axis=1).ravel().tolist()]
    if edges[-1] < height * width:
        edges.append(height * width)
    counts = np.diff(edges).tolist()
    code: dict[str, Any] = masks.frPyObjects({"counts": counts, "size": [height, width]}, height, width)
    return code


def _runs(one: Instance, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of a mask begin and end within columns of a scene, counted down the columns (int64)."""
    import numpy as np

    starts, ends = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    step = max(1, _PIXELS // max(1, one.mask.shape[0]))
    for first in range(0, one.mask.shape[1], step):
        columns = np.pad(one.mask[:, first : first + step].T, ((0, 0), (1, 1))).view(np.int8)
        changes = np.diff(columns, axis=1)
        for found, sign in ((starts, 1), (ends, -1)):
            cols, rows = np.nonzero(changes == sign)
            found.append((cols + one.col + first) * height + rows + one.row)
    return np.concatenate(starts), np.concatenate(ends)


def _true(cases: Sequence[Case], names: Sequence[str]) -> Iterator[tuple[int, Instance, dict[str, Any]]]:
    for place, case in enumerate(cases):
        for one in case.truths:
            yield place, one, {"category_id": one.number, "iscrowd": 0}
        for one in case.ignored:
            for number in range(1, len(names)):
                yield place, one, {"category_id": number, "iscrowd": 1}


def _found(cases: Sequence[Case]) -> Iterator[tuple[int, Instance, dict[str, Any]]]:
    for place, case in enumerate(cases):
        for one in case.found:
            yield place, one, {"category_id": one.number, "iscrowd": 0, "score": one.score}


def _numbered(
    cases: Sequence[Case], instances: Iterator[tuple[int, Instance, dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    for number, (place, one, more) in enumerate(instances, 1):  # 0 is no match to COCOeval
        height, width = one.mask.shape
        yield {
            "id": number, "image_id": place + 1, **more, "area": one.area,
            "bbox": [one.col, one.row, width, height], "segmentation": rle(one, cases[place].shape),
        }  # fmt: skip


def _coco(part: dict[str, Any], cases: Sequence[Case], names: Sequence[str]) -> Any:
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        **part,
        "images": [
            {"id": place, "height": case.shape[0], "width": case.shape[1]}
            for place, case in enumerate(cases, 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names) if number],
    }
    coco.createIndex()
    return coco

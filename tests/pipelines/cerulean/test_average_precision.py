"""Average precision against pycocotools as a user calls it, and against COCO's rules written out."""

from __future__ import annotations

import contextlib
import io
import json
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.cerulean import matching
from pipelines.cerulean.instance_metrics import THRESHOLDS, Case
from pipelines.cerulean.matching import IGNORED, cropped

masks_of = pytest.importorskip("pycocotools.mask")
average_precision = pytest.importorskip("pipelines.cerulean.average_precision")

SHAPE = (9, 6)
NAMES = ("background", "infra_slick", "natural_seep")
masks = arrays.arrays(bool, SHAPE)


def rectangle(number, rows, cols, score=1.0):
    mask = np.zeros(SHAPE, bool)
    mask[slice(*rows), slice(*cols)] = True
    return cropped(number, score, mask)


def made_up(seed, scenes=4, ignored=False):
    """Scenes with rectangles, each found about where it is, by a detector that errs."""
    random = np.random.default_rng(seed)
    cases = []
    for place in range(scenes):
        layers, found = [], []
        for _ in range(random.integers(0, 5)):
            number = int(random.integers(1, 3))
            said = number if random.random() < 0.8 else 3 - number
            top, left = random.integers(0, (6, 3))
            bottom, right = top + random.integers(1, 4), left + random.integers(1, 4)
            layers.append(rectangle(number, (top, bottom), (left, right)))
            down, across = random.integers(0, 2, 2)
            score = round(float(random.random()), 3)
            found.append(rectangle(said, (top + down, bottom), (left, right + across), score))
        if ignored and layers:
            layers[0] = matching.Instance(IGNORED, 1.0, layers[0].row, layers[0].col, layers[0].mask)
        cases.append(Case(f"scene {place}", SHAPE, layers, [one for one in found if one.area]))
    return cases


@pytest.mark.parametrize("pixels", [1, 20, 2**22])
@given(mask=masks)
def test_run_length_codes_are_those_of_whole_masks(mask, pixels):
    with mock.patch.object(average_precision, "_PIXELS", pixels):
        code = average_precision.rle(cropped(1, 1.0, mask), SHAPE)
    assert code == masks_of.encode(np.asfortranarray(mask.astype(np.uint8)))


def test_a_code_of_a_large_scene_needs_no_large_mask():
    code = average_precision.rle(rectangle(1, (0, 9), (0, 6)), (16_000, 25_000))
    assert masks_of.area(code) == 54
    assert masks_of.toBbox(code).tolist() == [0, 0, 6, 9]


def by_a_user(cases, kind, folder):
    """The same by files, loadRes and whole masks."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def record(one, place):
        whole = matching.painted([matching.Instance(1, 1.0, one.row, one.col, one.mask)], (0, 0, *SHAPE))
        code = masks_of.encode(np.asfortranarray(whole))
        code["counts"] = code["counts"].decode()
        box = [one.col, one.row, one.mask.shape[1], one.mask.shape[0]]
        return {"image_id": place, "segmentation": code, "bbox": box, "area": one.area}

    truths = [{**record(one, place), "category_id": one.number, "iscrowd": 0}
              for place, case in enumerate(cases) for one in case.truths]  # fmt: skip
    found = [{**record(one, place), "category_id": one.number, "score": one.score}
             for place, case in enumerate(cases) for one in case.found]  # fmt: skip
    document = {
        "images": [{"id": place, "height": SHAPE[0], "width": SHAPE[1]} for place in range(len(cases))],
        "annotations": [{**one, "id": number} for number, one in enumerate(truths, 1)],
        "categories": [{"id": 1, "name": "infra_slick"}, {"id": 2, "name": "natural_seep"}],
    }
    (folder / "truth.json").write_text(json.dumps(document))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(folder / "truth.json")
        evaluation = COCOeval(truth, truth.loadRes(found), kind)
        evaluation.params.iouThrs = np.array(THRESHOLDS)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1].mean(axis=1)  # thresholds, classes


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_what_a_user_of_pycocotools_gets(kind, seed, tmp_path):
    cases = made_up(seed, scenes=10)
    ours = average_precision.average_precision(cases, NAMES, kind)
    theirs = by_a_user(cases, kind, tmp_path)
    assert np.array(list(ours.values())) == pytest.approx(theirs.T)
    means = average_precision.averages(ours)
    assert means == pytest.approx(theirs.mean(axis=1))
    assert means[0] > means[-1]


def by_the_rules(cases, number, threshold):
    """COCO: by score, each detection takes the most alike free truth; precision at 101 recalls."""
    marks, truths = [], 0
    for case in cases:
        true = [one for one in case.truths if one.number == number]
        found = [one for one in case.found if one.number == number]
        alike, free = matching.mask_ious(true, found), set(range(len(true)))
        truths += len(true)
        for place in sorted(range(len(found)), key=lambda place: -found[place].score):
            best = max(free, key=lambda i: (alike[i, place], i), default=None)
            hit = best is not None and alike[best, place] >= threshold
            free -= {best} if hit else set()
            covered = [matching.share_within(found[place], [crowd]) for crowd in case.ignored]
            if hit or max(covered, default=0) < threshold:
                marks.append((-found[place].score, hit))
    hits = np.array([hit for _, hit in sorted(marks, key=lambda mark: mark[0])], float)
    right, seen = np.cumsum(hits), np.arange(1, len(hits) + 1)
    precision, recall = right / seen, right / truths
    return np.mean([max((p for p, r in zip(precision, recall, strict=True) if r >= at), default=0)
                    for at in np.linspace(0, 1, 101)])  # fmt: skip


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.booleans())
def test_average_precision_follows_the_rules_of_coco(seed, ignored):
    cases = made_up(seed, scenes=3, ignored=ignored)
    ours = average_precision.average_precision(cases, NAMES)
    for number, name in enumerate(NAMES[1:], 1):
        if any(one.number == number for case in cases for one in case.truths):
            expected = [by_the_rules(cases, number, threshold) for threshold in THRESHOLDS]
            assert ours[name] == pytest.approx(expected)
        else:
            assert set(ours[name]) == {None}


def test_a_class_that_is_not_there_has_none_and_a_missed_one_has_0():
    cases = [Case("a", SHAPE, [rectangle(1, (0, 3), (0, 3))], [])]
    found = average_precision.average_precision(cases, NAMES)
    assert found == {"infra_slick": [0.0] * 19, "natural_seep": [None] * 19}
    assert average_precision.averages(found) == [0.0] * 19
    assert average_precision.averages(average_precision.average_precision([], NAMES)) == [None] * 19


def test_more_than_a_hundred_detections_of_a_scene_count():
    wrong = [rectangle(1, (8, 9), (5, 6), 0.9) for _ in range(150)]
    right = rectangle(1, (0, 3), (0, 3), 0.1)
    found = average_precision.average_precision([Case("a", SHAPE, [right], [*wrong, right])], NAMES)
    assert found["infra_slick"][0] == pytest.approx(1 / 151)


def test_true_slicks_are_no_crowds():
    """The original marked every annotation as a crowd, and its average precision said nothing."""
    true = rectangle(1, (0, 3), (0, 3))
    found = average_precision.average_precision(
        [Case("a", SHAPE, [true], [rectangle(1, (0, 1), (0, 3), 0.5)])], NAMES
    )  # IoU 1/3
    assert found["infra_slick"] == pytest.approx([1.0] * 6 + [0.0] * 13)


def test_a_slick_of_a_class_that_the_model_leaves_out_excuses_what_covers_it():
    layers = [rectangle(1, (0, 3), (0, 3)), rectangle(IGNORED, (5, 9), (0, 4))]
    found = [rectangle(1, (5, 8), (0, 4), 0.9), rectangle(1, (0, 3), (0, 3), 0.5)]
    for some, expected in ((layers, 1.0), (layers[:1], 0.5)):
        ours = average_precision.average_precision([Case("a", SHAPE, some, found)], NAMES)
        assert ours["infra_slick"] == pytest.approx([expected] * 19)

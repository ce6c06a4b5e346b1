"""The program evaluate on tables made by hand: its metrics, nulls, and what a user gets wrong."""

from __future__ import annotations

import json

import pytest
from scipy import stats

from tests.pipelines.fpe.test_merging import call, of

HEADER = "split,image_id,timestamp,filename,url,value,score"
ROWS = [
    # split, day of July 2022 (UTC), hour, value, score
    ("train", 1, 16, "1", "0.1"),
    ("train", 2, 16, "2", "0.9"),
    ("train", 2, 18, "4", "0.5"),
    ("val", 3, 16, "3", "2.5"),
    ("val", 4, 16, "5", "1.5"),
    ("test-in", 5, 16, "", "0.3"),
    ("test-out", 6, 16, "6", ""),
    ("test-out", 7, 2, "7", "2"),  # still the 6th in New York
    ("test-out", 7, 16, "8", "3"),
]
PAIRS = [("train", 1, 0, 1, -1), ("train", 2, 2, 0, 1), ("val", 3, 3, 4, -1), ("val", 4, 3, 4, 0)]


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "29/models/M"
    for name in ("input", "train", "transform"):
        (folder / name).mkdir(parents=True)
    rows = [
        f"{split},{n},2022-07-{day:02}T{hour:02}:00:00Z,a b ({n}).JPG,,{value},{score}"
        for n, (split, day, hour, value, score) in enumerate(ROWS)
    ]
    (folder / "transform/predictions.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    both = [(*one, *ids, sign * label) for *one, a, b, label in PAIRS
            for ids, sign in (((a, b), 1), ((b, a), -1))]  # fmt: skip
    lines = [
        ",".join(map(str, row)) for row in [("split", "pair", "image_id_1", "image_id_2", "label"), *both]
    ]
    (folder / "input/pairs.csv").write_text("\n".join(lines) + "\n")
    (folder / "input/station.json").write_text('{"timezone": "America/New_York"}')
    (folder / "train/metrics.csv").write_text(
        "epoch,train_loss,val_loss\n1,0.7,0.69\n2,0.6,0.5\n3,0.5,0.55\n"
    )
    return folder


def evaluate(tmp_path, *more):
    return call("evaluate", *of(tmp_path), *more)


def metrics(model):
    return json.loads((model / "evaluation.json").read_text())["result"]["metrics"]


def test_the_metrics(tmp_path, model):
    assert evaluate(tmp_path) == (0, "")
    found = metrics(model)
    value = [float(row[3]) for row in ROWS if row[3] and row[4]]
    score = [float(row[4]) for row in ROWS if row[3] and row[4]]
    assert found["tau_all"] == stats.kendalltau(value, score).statistic and found["n_all"] == 7
    assert found["tau_train"] == pytest.approx(1 / 3)  # two of three pairs in order
    assert found["tau_day_train"] == 1  # means of the 2nd: 3 and 0.7
    assert (found["tau_val"], found["rho_val"], found["n_val"]) == (-1, pytest.approx(-1), 2)
    assert (found["tau_test_in"], found["tau_day_test_in"], found["n_test_in"]) == (None, None, 0)
    assert (found["tau_test_out"], found["n_test_out"]) == (1, 2)
    assert (found["tau_day_test_out"], found["n_day_test_out"]) == (1, 2)
    # 0.1 - 0.9 is 0.31 of the logistic function: RIGHT, as said; 0.5 - 0.1 is 0.60: greater, but SAME.
    assert (found["accuracy2_train"], found["accuracy3_train"]) == (1, 0.5)
    # 2.5 - 1.5 is 0.73, LEFT: neither RIGHT nor SAME.
    assert (found["accuracy2_val"], found["accuracy3_val"]) == (0, 0)
    assert found["val_loss"] == 0.5
    assert (found["n_pairs_train"], found["n_pairs_val"]) == (2, 2)
    assert (found["leaked_images"], found["missing_scores"]) == (0, 1)


def test_a_station_without_observations_has_null_and_never_nan(tmp_path, model):
    path = model / "transform/predictions.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("\n".join([HEADER, *(",".join([*line[:5], "", line[6]]) for line in lines[1:])]) + "\n")
    assert evaluate(tmp_path).code == 0
    found = metrics(model)
    assert {found[name] for name in found if name.startswith(("tau", "rho"))} == {None}
    assert found["accuracy2_train"] == 1 and found["n_all"] == 0


def test_the_same_bytes_again_at_any_path(tmp_path, model):
    assert evaluate(tmp_path).code == 0
    assert evaluate(tmp_path, f"--dst={tmp_path / 'new/e.json'}").code == 0
    assert (tmp_path / "new/e.json").read_bytes() == (model / "evaluation.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("transform/predictions.csv", ",0.9", ",high", "score 'high' is not a number"),
        ("transform/predictions.csv", "2022-07-01T16:00:00Z", "noon", "'noon' is not a time"),
        ("transform/predictions.csv", ",score", ",mark", "no column score"),
        ("input/pairs.csv", "-1", "-2", "row 1: label is not -1, 0 or 1"),
        ("input/pairs.csv", "split", "part", "no column split"),
        ("input/station.json", "America/New_York", "Mars", "'Mars'"),
        ("input/station.json", "timezone", "zone", "no timezone"),
        ("train/metrics.csv", "val_loss", "loss", "no column val_loss"),
    ],
)
def test_bad_input(tmp_path, model, name, old, new, told):
    path = model / name
    path.write_text(path.read_text().replace(old, new, 1))
    ended = evaluate(tmp_path)
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
    assert not (model / "evaluation.json").exists()


@pytest.mark.parametrize("name", ["transform/predictions.csv", "input/pairs.csv", "train/metrics.csv"])
def test_a_missing_file_is_named(tmp_path, model, name):
    (model / name).unlink()
    ended = evaluate(tmp_path)
    assert ended.code == 2 and f"{name}: cannot be read" in ended.err

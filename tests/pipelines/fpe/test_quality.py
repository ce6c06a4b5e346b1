"""What a model is worth on a generated station: good on days it never saw, worthless by shuffled answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from pipelines.fpe.generate import generate
from tests.pipelines.fpe.station_cases import call

pytestmark = pytest.mark.xdist_group("quality of fpe")  # one station for all

STATION, CODE = 29, "WESTB0"
SPRING = ("--stations=1", "--days=60", "--size=96x72", "--start=2023-03-01")
TRAINING = (
    "--input-size=60", "--batch-size=16", "--unfreeze-after=0", "--epochs=6", "--learning-rate=0.02",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station in a database and a storage, with the dataset D."""
    path = tmp_path_factory.mktemp("quality")
    generate.main([f"--dst={path / 'seed'}", *SPRING], standalone_mode=False)
    does("import_seed", "--data", path / "seed", "--root", path)
    does("rank_dataset", "-d", path, "-s", STATION, "D")
    return path


@pytest.fixture(scope="module")
def by_day(root: Path) -> dict[str, Any]:
    return metrics(root, "day")


def test_days_without_a_single_answer_are_ranked_by_flow(root, by_day):
    assert by_day["n_test_out"] >= 60 and by_day["tau_test_out"] >= 0.75
    out = predictions(root, "day").query("split == 'test-out'")
    observed = out[out["value"].notna()]
    assert by_day["tau_test_out"] == pytest.approx(kendalltau(observed["score"], observed["value"]).statistic)
    # What the gauge did not report is ranked, too.
    assert kendalltau(out["score"], out["image_id"].map(truth(root, "flow"))).statistic >= 0.75


def test_excluding_night_images_improves_the_result(root, by_day):
    always = metrics(root, "always", hours=(0, 23))
    assert always["n_test_out"] > 1.5 * by_day["n_test_out"]
    assert always["tau_test_out"] < by_day["tau_test_out"] - 0.2
    out = predictions(root, "always").query("split == 'test-out'")
    flow, dark = (out["image_id"].map(truth(root, name)) for name in ("flow", "sun"))
    tau = {night: kendalltau(out["score"][both], flow[both]).statistic
           for night, both in ((True, dark < -6), (False, dark > 5))}  # fmt: skip
    assert tau[False] > 0.4 > abs(tau[True])  # the network sees by day and is blind by night


def test_shuffled_answers_teach_nothing(root):
    """In the mean over shuffles and their opposites: one network's order has a tau by chance, up to 0.5."""
    found = []
    for seed, sign in product(range(4), (1, -1)):
        change = partial(shuffle_answers, seed=seed, sign=sign)
        found.append(metrics(root, f"shuffled{seed}{sign}", f"--seed={seed}", "--epochs=3", change=change))
    assert np.mean([one["tau_test_out"] for one in found]) <= 0.2
    assert min(one["n_test_out"] for one in found) >= 60
    assert min(one["val_loss"] for one in found) > 0.65  # log 2 is that of equal scores


def metrics(
    root: Path,
    code: str,
    *training: str,
    hours: tuple[int, int] = (7, 18),
    change: Callable[[Path], None] | None = None,
) -> dict[str, Any]:
    """Train the model ``code`` on images of these hours, score all of these, and measure."""
    window = (f"--min-hour={hours[0]}", f"--max-hour={hours[1]}")
    does("rank_input", "-d", root, "-s", STATION, "-D", "D", code, *window)
    model = root / str(STATION) / "models" / code
    if change:
        change(model / "input" / "pairs.csv")
    own = ("--directory", root, "--station-id", STATION, "--model-code", code)
    does("run_train", *own, "--device=cpu", *TRAINING, *training)
    does("run_transform", *own, "--device=cpu")
    for name in ("run_transform_merge", "run_transform_predictions", "evaluate"):
        does(name, *own)
    return json.loads((model / "evaluation.json").read_text())["result"]["metrics"]


def shuffle_answers(path: Path, seed: int, sign: int) -> None:
    """Each pair gets the answer, times ``sign``, of some pair of its split, and its reverse the opposite."""
    pairs = pd.read_csv(path)
    reverse, chance = pairs.duplicated("pair"), np.random.default_rng(seed)
    answers = pairs[~reverse].set_index("pair")
    shuffled = answers.groupby("split")["label"].transform(lambda its: chance.permutation(its.to_numpy()))
    label = sign * pairs["pair"].map(shuffled)
    pairs.assign(label=label.where(~reverse, -label)).to_csv(path, index=False)


def predictions(root: Path, code: str) -> pd.DataFrame:
    return pd.read_csv(root / str(STATION) / "models" / code / "transform" / "predictions.csv")


def truth(root: Path, column: str) -> dict[int, float]:
    with (root / "seed" / "truth" / f"{CODE}.csv").open(newline="") as file:
        return {int(row["image_id"]): float(row[column]) for row in csv.DictReader(file)}


def does(name: str, *arguments: object) -> None:
    assert call(name, *arguments) == (0, "")

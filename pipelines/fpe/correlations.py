"""How well scores order a station's images: rank correlations with the observations, accuracy on pairs.

Files and programs do not belong here: see evaluate.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SPLITS = ("train", "val", "test-in", "test-out")
LEFT_ABOVE, RIGHT_BELOW = 0.66, 0.33  # of sigmoid(s1 - s2); between them the two are the same


@dataclass(frozen=True)
class Correlation:
    """How alike two orders are.

    Attributes:
        tau: Kendall's tau-b, which allows for ties; None where it is not defined.
        rho: Spearman's; None with tau.
        n: images or days that have both a value and a score.
    """

    tau: float | None
    rho: float | None
    n: int


@dataclass(frozen=True)
class PairAccuracy:
    """The share of people's answers that scores agree with; None where there is no pair.

    Attributes:
        two: of the pairs answered LEFT or RIGHT, by which score is greater; equal scores agree with neither.
        three: of all pairs, SAME included, by how far the scores are apart.
    """

    two: float | None
    three: float | None


def correlation(values: Any, scores: Any) -> Correlation:
    """Correlate the orders of two columns over the rows where both are finite numbers.

    Neither is defined with fewer than two such rows or where one column is constant: None, never NaN, which
    some sort first.

    >>> correlation([1, 2, 3, None], [0.1, 0.2, 0.3, 9])
    Correlation(tau=1.0, rho=1.0, n=3)
    >>> correlation([1, 2], [5, 5])
    Correlation(tau=None, rho=None, n=2)
    """
    import numpy as np
    from scipy import stats

    value, score = np.asarray(values, np.float64), np.asarray(scores, np.float64)
    both = np.isfinite(value) & np.isfinite(score)
    value, score = value[both], score[both]
    if len(value) < 2 or np.ptp(value) == 0 or np.ptp(score) == 0:
        return Correlation(None, None, len(value))
    tau, rho = stats.kendalltau(value, score).statistic, stats.spearmanr(value, score).statistic
    return Correlation(float(tau), float(rho), len(value))


def by_split(rows: pd.DataFrame) -> dict[str, Correlation]:
    """The correlation of `value` with `score` in each split and, as `all`, in every row."""
    found = {split: rows[rows["split"] == split] for split in SPLITS} | {"all": rows}
    return {name: correlation(some["value"], some["score"]) for name, some in found.items()}


def daily(rows: pd.DataFrame, timezone: str, keys: Sequence[str] = ("split", "date")) -> pd.DataFrame:
    """Mean `value` and `score` of each local day (in each split): the keys, value, score.

    Only images that have both count, so that the two means are of the same ones.

    Args:
        rows: columns split, timestamp (ISO 8601; UTC where it has no offset), value, score.
        timezone: of the station, such as America/New_York: a day is one of its calendar.
        keys: `date`, alone or with `split`.

    Raises:
        BadInput: there is no such time zone, or a time that is none.
    """
    import pandas as pd

    from pipelines.fpe.local_times import local_dates, zone

    times = pd.to_datetime(rows["timestamp"], utc=True, errors="coerce", format="ISO8601")
    if times.isna().any():
        raise BadInput(f"{rows['timestamp'][times.isna()].iloc[0]!r} is not a time", where="timestamp")
    dated = rows.assign(date=local_dates(times, zone(timezone))).dropna(subset=["value", "score"])
    return dated.groupby(list(keys), as_index=False)[["value", "score"]].mean()


def of_days(rows: pd.DataFrame, timezone: str) -> dict[str, Correlation]:
    """As `by_split`, over the means of local days; `all` takes a day once, whatever its splits."""
    days = daily(rows, timezone, ["date"])
    return {**by_split(daily(rows, timezone)), "all": correlation(days["value"], days["score"])}


def pair_accuracy(pairs: pd.DataFrame, scores: Mapping[str, float]) -> PairAccuracy:
    """Compare people's answers with scores.

    Args:
        pairs: columns image_id_1, image_id_2 and label: 1 the first has more, -1 the second, 0 the same.
        scores: by image; one that is missing or not finite leaves its pairs out.
    """
    import numpy as np

    first = pairs["image_id_1"].map(scores).to_numpy(np.float64)
    second = pairs["image_id_2"].map(scores).to_numpy(np.float64)
    known = np.isfinite(first) & np.isfinite(second)
    label = pairs["label"].to_numpy(np.float64)[known]
    apart = (first - second)[known]
    ordered = label != 0
    return PairAccuracy(
        two=_share(np.sign(apart[ordered]) == label[ordered]),
        three=_share(classes(apart) == label),
    )


def classes(apart: Any) -> np.ndarray[Any, Any]:
    """1 (LEFT), -1 (RIGHT) or 0 (SAME) for differences s1 - s2, by their logistic function.

    >>> classes([0.7, 0.6, 0.0, -0.7, -0.8]).tolist()
    [1, 0, 0, 0, -1]
    """
    import numpy as np
    from scipy.special import expit

    likely = expit(np.asarray(apart, np.float64))
    return (likely > LEFT_ABOVE).astype(int) - (likely < RIGHT_BELOW).astype(int)


def leaked_images(pairs: pd.DataFrame) -> int:
    """How many images are in a pair for training and in one for validation."""
    train, val = (
        set(some["image_id_1"]) | set(some["image_id_2"])
        for some in (pairs[pairs["split"] == split] for split in ("train", "val"))
    )
    return len(train & val)


def _share(agrees: np.ndarray[Any, Any]) -> float | None:
    return float(agrees.mean()) if len(agrees) else None

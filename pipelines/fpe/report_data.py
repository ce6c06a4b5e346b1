"""What a report is about: a model's input, training and predictions, read and checked once.

What is drawn or written of it does not belong here: see report_plots.py and report_tables.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.fpe.correlations import SPLITS
from pipelines.program import read_json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Material:
    """All that a report shows of a model.

    Attributes:
        station: as in station.json; `timezone` is one that is known.
        record: as in rank-input.json.
        args: as in args.json, of the training.
        losses: columns epoch, train_loss, val_loss; NaN where a loss is no finite number.
        pairs: as in pairs.csv, each pair and its reverse, and `clock`: the local time of its first image.
        rows: as in predictions.csv, and
            clock: local time, without a zone: what the clock on the station's wall shows;
            value_rank, score_rank: from 0 to 100, see `percent_ranks`; NaN unless there are both;
            residual: score_rank - value_rank.
    """

    station: dict[str, Any]
    record: dict[str, Any]
    args: dict[str, Any]
    losses: pd.DataFrame
    pairs: pd.DataFrame
    rows: pd.DataFrame

    @property
    def name(self) -> str:
        """Of the station, as people call it."""
        return str(self.station.get("name") or f"station {self.station.get('id')}")

    @property
    def timezone(self) -> str:
        return str(self.station["timezone"])

    @property
    def variable(self) -> str:
        return str(self.record["variable_id"])

    @property
    def compared(self) -> pd.DataFrame:
        """The rows that have both a value and a score."""
        return self.rows.dropna(subset=["value", "score"])


def read(source: Path, train: Path, predictions: Path) -> Material:
    """Read the folder of a model's input, that of its training, and the table of predictions.

    Raises:
        BadInput: a file is missing or not what it should be, or the time zone is not known.
    """
    from pipelines.fpe import evaluate

    station = _object(source / "station.json", "timezone")
    record = _object(source / "rank-input.json", "variable_id")
    args = _object(train / "args.json")
    losses = read_losses(train / "metrics.csv")
    pairs = with_clock(
        evaluate.read_pairs(source / "pairs.csv"), "timestamp_1", station, source / "pairs.csv"
    )
    rows = with_clock(evaluate.read_predictions(predictions), "timestamp", station, predictions)
    _check(rows, predictions)
    return Material(station, record, args, losses, pairs, with_ranks(rows))


def read_losses(path: Path) -> pd.DataFrame:
    """Columns epoch (from 1), train_loss and val_loss as numbers, NaN where there is none.

    Raises:
        BadInput: the file is no such table.
    """
    import pandas as pd

    from pipelines.fpe import merging

    text = merging.read_rows(path, ("epoch", "train_loss", "val_loss"))
    if text.empty:
        raise BadInput("has no epochs", where=path)
    losses = pd.DataFrame({name: pd.to_numeric(text[name], errors="coerce") for name in text})
    for name in losses:
        wrong = losses[name].isna() & ~text[name].isin(["", "nan", "NaN"])
        if wrong.any() or (name == "epoch" and losses[name].isna().any()):
            raise BadInput(f"{name} is not a number in every row", where=path)
    return losses.replace([float("inf"), float("-inf")], float("nan"))


def with_clock(rows: pd.DataFrame, name: str, station: dict[str, Any], path: Path) -> pd.DataFrame:
    """Add `clock`, the local time of the column ``name`` (ISO 8601; UTC where it has no offset).

    Raises:
        BadInput: there is no such column or time zone, or a time that is none.
    """
    import pandas as pd

    from pipelines.fpe.local_times import zone

    if name not in rows:
        raise BadInput(f"has no column {name}", where=path)
    times = pd.to_datetime(rows[name], utc=True, errors="coerce", format="ISO8601")
    if times.isna().any():
        raise BadInput(f"{rows[name][times.isna()].iloc[0]!r} is not a time", where=path)
    local = times.dt.tz_convert(zone(station["timezone"]))
    return rows.assign(clock=local.dt.tz_localize(None))


def with_ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """Add value_rank, score_rank and residual, over the rows that have both a value and a score."""
    both = rows["value"].notna() & rows["score"].notna()
    ranked = rows.assign(
        value_rank=percent_ranks(rows["value"].where(both)),
        score_rank=percent_ranks(rows["score"].where(both)),
    )
    return ranked.assign(residual=ranked["score_rank"] - ranked["value_rank"])


def percent_ranks(numbers: pd.Series) -> pd.Series:
    """100 (r - 1/2) / n, where r is the rank from 1 to n, the mean one for ties; NaN stays and has no rank.

    >>> import pandas as pd
    >>> percent_ranks(pd.Series([3.0, 1.0, None, 3.0, 9.0])).tolist()
    [50.0, 12.5, nan, 50.0, 87.5]
    """
    return 100 * (numbers.rank() - 0.5) / numbers.count()


def chosen_epoch(losses: pd.DataFrame) -> int | None:
    """The epoch whose weights the model has: the first with the least validation loss."""
    known = losses.dropna(subset=["val_loss"])
    return None if known.empty else int(known["epoch"].iloc[known["val_loss"].argmin()])


def _object(path: Path, *need: str) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise BadInput("is not a JSON object", where=path)
    for key in need:
        if not isinstance(found.get(key), str) or not found[key]:
            raise BadInput(f"has no {key}", where=path)
    return found


def _check(rows: pd.DataFrame, path: Path) -> None:
    if "filename" not in rows:
        raise BadInput("has no column filename", where=path)
    wrong = rows.loc[~rows["split"].isin(SPLITS), "split"]
    if len(wrong):
        raise BadInput(f"split {wrong.iloc[0]!r} is none of {', '.join(SPLITS)}", where=path)

"""Tables of predictions: an image's row with its score, in files of so many rows, and all in one.

How an image gets its score does not belong here: see scoring.py. Programs read and write by this module.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import BadInput
from pipelines.fpe.dataset_files import read_csv
from pipelines.program import read_json, writing

if TYPE_CHECKING:
    import pandas as pd

SIZE = 5000  # rows of a file
_NAME = re.compile(r"predictions-(\d+)-(\d+)\.csv")


@dataclass(frozen=True)
class Part:
    """A file of predictions, of images number ``start`` to ``start + size - 1``; the last may hold fewer.

    >>> Part(5000, 5000).name
    'predictions-05000-09999.csv'
    """

    start: int
    size: int

    @property
    def name(self) -> str:
        return f"predictions-{self.start:05d}-{self.start + self.size - 1:05d}.csv"


def parts(images: int, size: int = SIZE) -> list[Part]:
    """The files that so many images take.

    >>> [part.name for part in parts(8123)]
    ['predictions-00000-04999.csv', 'predictions-05000-09999.csv']
    """
    return [Part(start, size) for start in range(0, images, size)]


def read_images(path: Path, need: Iterable[str] = ("image_id", "filename")) -> pd.DataFrame:
    """The rows of a table of images, every cell as the text that it is there, an empty one as ''.

    Raises:
        BadInput: the file cannot be read, is no table, has no rows, lacks a column, has an image twice, or
            a file name that leads out of a folder.
    """
    rows = read_rows(path, need)
    if rows.empty:
        raise BadInput("has no images", where=path)
    twice = rows["image_id"][rows["image_id"].duplicated()]
    if len(twice):
        raise BadInput(f"image {twice.iloc[0]} stands twice", where=path)
    for name in rows["filename"] if "filename" in rows.columns else ():
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise BadInput(f"{name!r} is not the name of a file in the storage", where=path)
    return rows


def read_rows(path: Path, need: Iterable[str]) -> pd.DataFrame:
    """The rows of any table, cells as text.

    Raises:
        BadInput: the file cannot be read, is no table, or lacks a column.
    """
    try:
        rows = read_csv(path, dtype=str, keep_default_na=False)
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None
    except ValueError as error:  # pandas' own errors, and that of another encoding
        raise BadInput(f"is not a table of comma-separated values ({error})", where=path) from None
    missing = [name for name in need if name not in rows.columns]
    if missing:
        raise BadInput(f"has no column {missing[0]}", where=path)
    return rows


def out_path(folder: Path, filename: str) -> Path:
    """Where the output of an image lies."""
    return folder / f"{filename}.out"


def read_score(path: Path) -> float | None:
    """The score in an output; None of an image that could not be read.

    Raises:
        BadInput: there is no such file, or no score in it.
    """
    data = read_json(path)
    score = data.get("score", "") if isinstance(data, dict) else ""
    if score is None:
        return None
    if isinstance(score, float | int) and not isinstance(score, bool) and math.isfinite(score):
        return float(score)
    raise BadInput('has no "score" that is a number or null', where=path)


def with_scores(images: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The rows with a column `score`, as text that reads back as the same number; '' where it is null.

    Raises:
        BadInput: an image has no output.
    """
    from tqdm import tqdm

    paths = [out_path(folder, name) for name in images["filename"]]
    lacking = [path for path in paths if not path.is_file()]
    if lacking:
        raise BadInput(
            f"{len(lacking)} of {len(paths)} images have no output, the first {lacking[0].name!r}",
            where=folder,
            hint="run run_transform to its end",
        )
    scores = [read_score(path) for path in tqdm(paths, "merge", unit="image", disable=None)]
    return images.assign(score=["" if score is None else repr(score) for score in scores])


def write_parts(rows: pd.DataFrame, folder: Path, size: int = SIZE) -> list[Path]:
    """Write the rows in files of ``size``; files of an older merge that would not be replaced go first."""
    wanted = parts(len(rows), size)
    names = {part.name for part in wanted}
    for old in find_parts(folder):
        if old.name not in names:
            (folder / old.name).unlink()
    for part in wanted:
        write_rows(rows.iloc[part.start : part.start + size], folder / part.name)
    return [folder / part.name for part in wanted]


def find_parts(folder: Path) -> list[Part]:
    """The files of predictions in a folder, by their first image."""
    matches = (_NAME.fullmatch(path.name) for path in folder.glob("predictions-*.csv"))
    ranges = sorted((int(match[1]), int(match[2])) for match in matches if match)
    return [Part(start, end - start + 1) for start, end in ranges]


def read_parts(folder: Path) -> pd.DataFrame:
    """The rows of all files of predictions, in the order of the images.

    Raises:
        BadInput: there are none, one is missing between others, or one has not the rows that its name says.
    """
    import pandas as pd

    found = find_parts(folder)
    if not found:
        raise BadInput("has no files predictions-00000-....csv", where=folder, hint="run run_transform_merge")
    tables = [read_rows(folder / part.name, ("image_id", "score")) for part in found]
    _check(folder, found, [len(table) for table in tables])
    return pd.concat(tables, ignore_index=True)


def check_images(rows: pd.DataFrame, images: pd.DataFrame, where: Path) -> None:
    """Raise BadInput unless the rows are those images, in that order."""
    if list(rows["image_id"]) != list(images["image_id"]):
        raise BadInput(
            f"holds predictions of other images ({len(rows)}) than images.csv ({len(images)})",
            where=where,
            hint="merge again",
        )


def write_rows(rows: pd.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all."""
    with writing(path) as temporary:
        rows.to_csv(temporary, index=False, lineterminator="\n")


def _check(folder: Path, found: Sequence[Part], lengths: Sequence[int]) -> None:
    if found[0].start != 0:
        raise BadInput(f"the file before {found[0].name} is missing", where=folder)
    for before, after in itertools.pairwise(found):
        if after.start != before.start + before.size:
            raise BadInput(f"{before.name} and {after.name} do not follow each other", where=folder)
    for part, length in zip(found, lengths, strict=True):
        full = length == part.size or (part is found[-1] and 0 < length < part.size)
        if not full:
            raise BadInput(f"has {length} rows", where=folder / part.name, hint="merge again")

"""Annotated pairs as a network learns from them: labelled, split, and each the other way round, too.

Where annotations come from, and the rule of the split, do not belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.fpe.splitting import Split, split_pairs

if TYPE_CHECKING:
    import pandas as pd

LABELS = {"LEFT": 1, "RIGHT": -1, "SAME": 0}  # UNKNOWN has none
FIELDS = {"image_id": "imageId", "timestamp": "timestamp", "filename": "filename", "value": "value"}


def labelled(annotations: pd.DataFrame) -> pd.DataFrame:
    """The annotations that say something: two images, and a rank other than UNKNOWN.

    Args:
        annotations: as in annotations.csv.
    """
    two = annotations["left.imageId"] != annotations["right.imageId"]
    return annotations[two & annotations["rank"].isin(list(LABELS))].reset_index(drop=True)


def sampled(annotations: pd.DataFrame, most: int | None, seed: int) -> pd.DataFrame:
    """At most ``most`` of the annotations, chosen at random, in the order they had."""
    if most is None or len(annotations) <= most:
        return annotations
    return annotations.sample(n=most, random_state=seed).sort_index().reset_index(drop=True)


def make_pairs(annotations: pd.DataFrame, train_fraction: float, seed: int) -> tuple[pd.DataFrame, Split]:
    """The table of pairs.csv, two rows for each of the ``annotations``, which `labelled` has chosen.

    Returns:
        columns split, pair (from 1; a pair and its reverse have the same), image_id_1, timestamp_1,
        filename_1, value_1, the same of the second image, and label: 1 where the first has more, -1 where
        the second has, 0; and how they were split.
    """
    import pandas as pd

    ids = list(zip(annotations["left.imageId"].tolist(), annotations["right.imageId"].tolist(), strict=True))
    split = split_pairs(ids, train_fraction, seed)
    left, right = (_side(annotations, side) for side in ("left", "right"))
    label = annotations["rank"].map(LABELS)
    rows = [_rows(left, right, label), _rows(right, left, -label)]
    number = pd.Series(range(1, len(annotations) + 1), name="pair")
    names = pd.Series(["train" if inside else "val" for inside in split.train], name="split")
    both = pd.concat([pd.concat([names, number, table], axis=1) for table in rows])
    return both.sort_values("pair", kind="stable").reset_index(drop=True), split


def images_of(pairs: pd.DataFrame, split: str) -> set[int]:
    """The ids of the images in one split."""
    chosen = pairs[pairs["split"] == split]
    return set(chosen["image_id_1"]) | set(chosen["image_id_2"])


def _rows(first: pd.DataFrame, second: pd.DataFrame, label: pd.Series) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([first.add_suffix("_1"), second.add_suffix("_2"), label.rename("label")], axis=1)


def _side(annotations: pd.DataFrame, side: str) -> pd.DataFrame:
    return annotations[[f"{side}.{name}" for name in FIELDS.values()]].set_axis(list(FIELDS), axis=1)

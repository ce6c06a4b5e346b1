"""What a COCO dataset holds, as tables: by class, by scene, and every instance.

Drawing them does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.classes import BACKGROUND, NAMES

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("dataset", "scene", "tile", "image_id", "annotation_id", "class", "area", "width", "height")


def scene_of(image: Mapping[str, Any]) -> str:
    """The id of the scene that a tile is of; the tile's own name where it says none."""
    extra = image.get("extra") or {}
    return str(extra.get("big_image_id") or image["file_name"])


def instances(documents: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each annotation of all datasets, in order of dataset, image and id.

    Args:
        documents: COCO documents by a name for each.

    Returns:
        `COLUMNS`; area in pixels, width and height of the box in pixels.
    """
    import pandas as pd

    rows = []
    for name, document in documents.items():
        images = {image["id"]: image for image in document["images"]}
        classes = {category["id"]: category["name"] for category in document["categories"]}
        for one in sorted(document["annotations"], key=lambda one: (one["image_id"], one["id"])):
            image = images[one["image_id"]]
            width, height = (one.get("bbox") or (None,) * 4)[2:]
            rows.append((name, scene_of(image), image["file_name"], image["id"], one["id"],
                         classes[one["category_id"]], one["area"], width, height))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_class(documents: Mapping[str, Mapping[str, Any]], found: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset and class, background left out, be there instances of it or none.

    Args:
        found: of `instances`.

    Returns:
        dataset, class, scenes, tiles, instances; pixels (all together) and the area of one in pixels:
        area_min, area_median, area_mean, area_max (missing where there is none); share of slick pixels.
    """
    import pandas as pd

    rows = []
    for name, document in documents.items():
        inside = found[found["dataset"] == name]
        total = inside["area"].sum()
        for label in _classes(document):
            chosen = inside[inside["class"] == label]
            area = chosen["area"]
            rows.append({
                "dataset": name, "class": label, "scenes": chosen["scene"].nunique(),
                "tiles": chosen["image_id"].nunique(), "instances": len(chosen), "pixels": area.sum(),
                "area_min": area.min(), "area_median": area.median(), "area_mean": area.mean(),
                "area_max": area.max(), "share": area.sum() / total if total else None,
            })  # fmt: skip
    return pd.DataFrame(rows)


def by_scene(documents: Mapping[str, Mapping[str, Any]], found: pd.DataFrame) -> pd.DataFrame:
    """A row for each dataset and scene: tiles, tiles_without_slick, instances, pixels, a column per class."""
    import pandas as pd

    rows = []
    columns = ["dataset", "scene", "tiles", "tiles_without_slick", "instances", "pixels"]
    for name, document in documents.items():
        tiles: dict[str, list[int]] = {}
        for image in document["images"]:
            tiles.setdefault(scene_of(image), []).append(image["id"])
        groups = dict(iter(found[found["dataset"] == name].groupby("scene")))
        for scene in sorted(tiles):
            chosen = groups.get(scene, found.iloc[:0])
            counts = chosen["class"].value_counts()
            rows.append({
                "dataset": name, "scene": scene, "tiles": len(tiles[scene]),
                "tiles_without_slick": len(tiles[scene]) - chosen["image_id"].nunique(),
                "instances": len(chosen), "pixels": chosen["area"].sum(),
                **{label: int(counts.get(label, 0)) for label in _classes(document)},
            })  # fmt: skip
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def shared_scenes(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Scenes that stand in more than one dataset, with the names of these: what was learned is tested."""
    where: dict[str, list[str]] = {}
    for name, document in documents.items():
        for scene in {scene_of(image) for image in document["images"]}:
            where.setdefault(scene, []).append(name)
    return {scene: where[scene] for scene in sorted(where) if len(where[scene]) > 1}


def _classes(document: Mapping[str, Any]) -> list[str]:
    """Names of a document's classes in the order of the table of classes, unknown ones last."""
    names: Iterable[str] = (category["name"] for category in document["categories"])
    place = {name: number for number, name in enumerate(NAMES)}
    wanted = [name for name in names if name != BACKGROUND]
    return sorted(wanted, key=lambda name: (place.get(name, len(place)), name))

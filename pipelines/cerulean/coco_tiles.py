"""What COCO says of tiles: names of files, masks as run lengths, and the document that holds them.

Reading scenes and writing pixels does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.classes import BACKGROUND, IDS
from pipelines.cerulean.tiling import Tile

if TYPE_CHECKING:
    import numpy as np

    from pipelines.cerulean.layers import Layer

TILES = "tiled_images"  # the folder of the tiles, beside the document
CHANNELS = ("vv", "distance", "density")  # bands of a tile, in this order


def instances_name(name: str) -> str:
    """The document of a dataset.

    >>> instances_name("train")
    'instances_train.json'
    """
    return f"instances_{name}.json"


def tile_name(scene: str, index: int) -> str:
    """The file of a tile, in `TILES`.

    >>> tile_name("S1A_x", 201)
    'S1A_x_vv-image_local_tile_201.tif'
    """
    return f"{scene}_vv-image_local_tile_{index}.tif"


def categories() -> list[dict[str, Any]]:
    """The classes that can be annotated; ids are those of `classes.IDS`, so background's is not taken."""
    return [
        {"id": number, "name": name, "supercategory": "slick"}
        for name, number in IDS.items()
        if name != BACKGROUND
    ]


@dataclass(frozen=True)
class Mask:
    """Pixels of one slick in one tile.

    Attributes:
        size: height and width of the tile.
        counts: run lengths down the columns, as COCO compresses them.
        area: how many pixels.
        box: left, top, width, height, in pixels of the tile.
    """

    size: tuple[int, int]
    counts: str
    area: int
    box: tuple[int, int, int, int]

    def annotation(self, category: int, layer: str) -> dict[str, Any]:
        """As COCO has it, without the ids."""
        return {
            "category_id": category,
            "segmentation": {"size": list(self.size), "counts": self.counts},
            "area": self.area,
            "bbox": list(self.box),
            "iscrowd": 0,
            "extra": {"layer": layer},
        }


def encoded(mask: np.ndarray) -> Mask:
    """The ``mask`` (height, width) of bool, which may also be full.

    >>> import numpy as np
    >>> encoded(np.ones((2, 3), bool))
    Mask(size=(2, 3), counts='06', area=6, box=(0, 0, 3, 2))
    """
    import numpy as np
    from pycocotools import mask as coco

    run_lengths = coco.encode(np.asfortranarray(mask.view(np.uint8)))
    left, top, width, height = (int(side) for side in coco.toBbox(run_lengths))
    return Mask(
        (int(mask.shape[0]), int(mask.shape[1])),
        run_lengths["counts"].decode("ascii"),
        int(coco.area(run_lengths)),
        (left, top, width, height),
    )


def masks_of(layer: Layer, shape: tuple[int, int], grid: Sequence[Tile]) -> dict[int, Mask]:
    """The masks of a slick in the tiles of ``grid`` that hold any of its pixels, by the tile's index.

    Args:
        shape: (height, width) of the scene.
    """
    import numpy as np

    found = {}
    for tile in grid:
        rows, cols = tile.inside(*shape)
        if not _meet(layer, rows, cols):
            continue
        part = layer.part(rows, cols)
        if not part.any():
            continue
        if part.shape != (tile.height, tile.width):
            whole = np.zeros((tile.height, tile.width), bool)
            whole[tile.placed(*shape)] = part
            part = whole
        found[tile.index] = encoded(part)
    return found


def _meet(layer: Layer, rows: slice, cols: slice) -> bool:
    height, width = layer.mask.shape
    return bool(
        rows.start < layer.row + height
        and layer.row < rows.stop
        and cols.start < layer.col + width
        and layer.col < cols.stop
    )


def document(
    info: Mapping[str, Any], parts: Sequence[tuple[dict[str, Any], Sequence[dict[str, Any]]]]
) -> dict[str, Any]:
    """A COCO document of tiles, each with its annotations; ids are given here, from 1 on, in their order."""
    images: list[dict[str, Any]] = []
    masks: list[dict[str, Any]] = []
    for number, (image, own) in enumerate(parts, 1):
        images.append({"id": number, **image})
        for annotation in own:
            masks.append({"id": len(masks) + 1, "image_id": number, **annotation})
    return {
        "info": dict(info),
        "licenses": [],
        "images": images,
        "annotations": masks,
        "categories": categories(),
    }

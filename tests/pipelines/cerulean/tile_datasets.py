"""Small COCO datasets of made-up tiles: dark slicks on bright sea, near a platform or far from all."""

from __future__ import annotations

import json

import numpy as np
import rasterio
from pycocotools import mask as rle
from rasterio.errors import NotGeoreferencedWarning

from pipelines.cerulean.classes import IDS, NAMES

CATEGORIES = [{"id": number, "name": name, "supercategory": "slick"} for name, number in IDS.items()][1:]


def write_dataset(folder, tiles, scene="A", categories=CATEGORIES):
    """Tiles as (pixels (3, h, w) uint8, [(class name, mask (h, w) bool)]) into instances_x.json; its path."""
    import warnings

    (folder / "tiled_images").mkdir(parents=True, exist_ok=True)
    numbers = {one["name"]: one["id"] for one in categories}
    images, annotations = [], []
    for index, (pixels, layers) in enumerate(tiles):
        name = f"tiled_images/{scene}_vv-image_local_tile_{index}.tif"
        _, height, width = pixels.shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(folder / name, "w", driver="GTiff", count=len(pixels), height=height,
                               width=width, dtype=pixels.dtype) as target:  # fmt: skip
                target.write(pixels)
        images.append({"id": index + 1, "file_name": name, "height": height, "width": width,
                       "extra": {"big_image_id": scene}})  # fmt: skip
        for category, mask in layers:
            found = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
            annotations.append({
                "id": len(annotations) + 1, "image_id": index + 1, "category_id": numbers[category],
                "segmentation": {"size": list(mask.shape), "counts": found["counts"].decode()},
                "area": int(mask.sum()), "bbox": rle.toBbox(found).tolist(), "iscrowd": 0,
            })  # fmt: skip
    path = folder / "instances_x.json"
    document = {"info": {}, "licenses": [], "images": images, "annotations": annotations,
                "categories": categories}  # fmt: skip
    path.write_text(json.dumps(document))
    return path


def sea_tile(rng, size=48, slick="infra_slick"):
    """Bright speckled sea with one dark bar; infra slicks lie near a platform (distance 20), others far."""
    pixels = np.full((3, size, size), 0, np.uint8)
    pixels[0] = rng.normal(150, 12, (size, size)).clip(1, 255)
    pixels[1] = 20 if slick == "infra_slick" else 200
    mask = np.zeros((size, size), bool)
    row, col = rng.integers(4, size - 20, 2)
    mask[row : row + 10, col : col + 14] = True
    pixels[0][mask] = rng.normal(60, 12, int(mask.sum())).clip(1, 255)
    return pixels, [(slick, mask)]


def sea_tiles(count, seed=0, size=48, kinds=("infra_slick", "recent_vessel")):
    rng = np.random.default_rng(seed)
    assert set(kinds) <= set(NAMES)
    return [sea_tile(rng, size, kinds[number % len(kinds)]) for number in range(count)]

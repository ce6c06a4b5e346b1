"""kwcoco files: read with named errors, written with the same bytes every time.

What a dataset holds (grids, sites, heatmaps) does not belong here.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.program import writing

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: no trace of when it was written


def read_dataset(path: str | os.PathLike[str]) -> Any:
    """The `kwcoco.CocoDataset` in a `.json` or `.zip` file.

    Raises:
        BadInput: the file is missing or holds no kwcoco dataset.
    """
    import kwcoco

    if not Path(path).is_file():
        raise BadInput("no such file", where=path)
    try:
        dataset = kwcoco.CocoDataset(os.fspath(path))
    except Exception as error:  # kwcoco raises whatever its parsers raise
        raise BadInput(f"is not a kwcoco dataset ({error})", where=path) from None
    if "images" not in dataset.dataset:
        raise BadInput("is not a kwcoco dataset (it has no 'images')", where=path)
    return dataset


def write_dataset(dataset: Any, path: str | os.PathLike[str]) -> None:
    """Write a `kwcoco.CocoDataset`, whole or not at all; asset paths must be relative to its folder."""
    text = json.dumps(dataset.dataset, indent=1, sort_keys=True) + "\n"
    with writing(path) as temporary:
        if Path(path).suffix != ".zip":
            temporary.write_text(text, encoding="utf-8")
            return
        member = zipfile.ZipInfo(f"{Path(path).stem}.json".replace(".json.json", ".json"), _EPOCH)
        member.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.writestr(member, text)


def assets(image: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The assets of a kwcoco image that have a file: its own first, then `auxiliary` and `assets`."""
    for asset in (image, *image.get("auxiliary", ()), *image.get("assets", ())):
        if asset.get("file_name") is not None:
            yield asset


def channels(asset: dict[str, Any]) -> list[str]:
    """The channel names of an asset, band by band.

    >>> channels({"channels": "red|green|blue"})
    ['red', 'green', 'blue']
    """
    return [name for name in str(asset.get("channels") or "").split("|") if name]


def asset_path(dataset: Any, asset: dict[str, Any]) -> Path:
    """Where the file of an asset lies."""
    return Path(dataset.bundle_dpath) / asset["file_name"]


def frames(dataset: Any, video_id: int) -> list[dict[str, Any]]:
    """The images of a video in the order of time."""
    images = [dataset.imgs[image] for image in dataset.index.vidid_to_gids[video_id]]
    return sorted(images, key=lambda image: (image.get("frame_index", 0), image["id"]))

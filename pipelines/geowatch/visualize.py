"""The program `visualize`: pictures of every frame of every region, and an animation of each region.

What a picture shows is in panels.py, how it is drawn in drawing.py.
"""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.geowatch.coco_files import assets, channels, frames, read_dataset
from pipelines.program import run, staged, writing

if TYPE_CHECKING:
    from PIL import Image

_FRAME_MS = 600
_LAST_MS = 2400  # the end of an animation is where one wants to look


def channel_groups(text: str) -> list[list[str]]:
    """The channels of each panel.

    >>> channel_groups("red|green|blue,salient")
    [['red', 'green', 'blue'], ['salient']]
    """
    groups = [[name.strip() for name in part.split("|") if name.strip()] for part in text.split(",")]
    groups = [group for group in groups if group]
    if not groups:
        raise BadInput(f"--channels {text!r} names no channel", hint="write it as red|green|blue,salient")
    return groups


def draw_region(
    dataset: Any, video: dict[str, Any], groups: list[list[str]], extra: str, folder: Path, side: int
) -> list[Path]:
    """Write `<region>/<frame>.png` for each frame of a video and `<region>.gif`; the files written.

    Args:
        side: pixels of the longer side of a panel.
    """
    from PIL.Image import Quantize

    from pipelines.geowatch import drawing, panels

    shown = panels.view(dataset, video, groups, side)
    images = frames(dataset, video["id"])
    sites = [panels.outlines(shown, image) for image in images]
    kinds = {outline.colour for some in sites for outline in some}  # one legend, or an animation flickers
    written, pictures = [], []
    for number, (image, outlines) in enumerate(zip(images, sites, strict=True)):
        picture = drawing.frame(
            panels.header(shown, image, extra), panels.panels(shown, image), outlines, kinds
        )
        path = (
            folder / str(video["name"]) / f"{number:04d}_{_safe(str(image.get('name') or image['id']))}.png"
        )
        with writing(path) as temporary:
            picture.save(temporary)
        written.append(path)
        # By octree: median cut took 50 times as long and shifted the colours of the legend.
        pictures.append(picture.quantize(255, method=Quantize.FASTOCTREE))
    if pictures:
        written.append(folder / f"{_safe(str(video['name']))}.gif")
        _animate(pictures, written[-1])
    return written


def _animate(pictures: list[Image.Image], path: Path) -> None:
    """Write an endless GIF, every frame (a palette image) with its own colours."""
    times = [_FRAME_MS] * (len(pictures) - 1) + [_LAST_MS]
    with writing(path) as temporary:
        pictures[0].save(
            temporary, save_all=True, append_images=pictures[1:], duration=times, loop=0, disposal=1
        )


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)


def _check(dataset: Any, groups: list[list[str]]) -> None:
    """Raise BadInput where a wanted channel is in no image at all."""
    there = {name for image in dataset.imgs.values() for asset in assets(image) for name in channels(asset)}
    for name in (name for group in groups for name in group):
        if dataset.imgs and name not in there:
            raise BadInput(f"no image has channel {name!r}", dataset.fpath, f"there are {sorted(there)}")


@click.command()
@click.option("--poly_kwcoco_fpath", required=True, help="kwcoco of `track`: heatmaps and sites")
@click.option("--stamp_fpath", default="_viz.stamp", show_default=True, help="written last: lists the files")
@click.option("--viz_dpath", help="folder of the pictures; that of the stamp by default")
@click.option(
    "--channels", "wanted", default="red|green|blue,salient", show_default=True, help="channels of each panel"
)
@click.option("--extra_header", default="", help="a line (\\n for more) below region, day and sensor")
@click.option("--panel_size", default=420, show_default=True, help="pixels of a panel's longer side")
@click.option("--workers", default=2, show_default=True, help="threads over regions")
def main(
    poly_kwcoco_fpath: str,
    stamp_fpath: str,
    viz_dpath: str | None,
    wanted: str,
    extra_header: str,
    panel_size: int,
    workers: int,
) -> None:
    """Draw every frame of every region: colours and heatmap side by side, with true and predicted sites.

    Writes REGION/*.png and REGION.gif. Three channels make a colour panel, one a heatmap from 0 to 1
    (grey where its values are larger), several others a panel of classes. Predicted sites are full lines
    with number and phase, true sites dashes.

    \b
    Example:
      python -m pipelines.geowatch.visualize --poly_kwcoco_fpath=poly.kwcoco.zip \\
          --channels="red|green|blue,salient" --stamp_fpath=viz/_viz.stamp
    """
    from tqdm import tqdm

    if panel_size < 16:
        raise BadInput(f"--panel_size must be at least 16 pixels, not {panel_size}")
    groups = channel_groups(wanted)
    dataset = read_dataset(poly_kwcoco_fpath)
    _check(dataset, groups)
    stamp = Path(stamp_fpath)
    folder = Path(viz_dpath) if viz_dpath else stamp.parent
    videos = [dataset.index.videos[number] for number in sorted(dataset.index.videos)]
    with staged(folder, last=stamp) as hidden, ThreadPoolExecutor(max(1, workers)) as pool:
        drawn = pool.map(lambda v: draw_region(dataset, v, groups, extra_header, hidden, panel_size), videos)
        files = [
            folder / f.relative_to(hidden)
            for region in tqdm(drawn, "draw", len(videos), file=sys.stderr, disable=None)
            for f in region
        ]
    with writing(stamp) as temporary:
        lines = (f"{Path(os.path.relpath(path, stamp.parent)).as_posix()}\n" for path in files)
        temporary.write_text("".join(lines), encoding="utf-8")
    click.echo(f"wrote {len(files)} pictures of {len(videos)} regions: {folder}")


if __name__ == "__main__":
    run(main)

"""The program that makes stations with known flow: `python -m pipelines.fpe.generate --help`.

What a picture looks like is scene.py's, the files' shape seed_tree.py's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import program
from pipelines.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from tqdm import tqdm

    from pipelines.fpe.people import Seen
    from pipelines.fpe.seed_tree import Picture, Station, StationFolder
    from pipelines.fpe.weather import Sky

_EPILOG = """\b
Example:
  python -m pipelines.fpe.generate --dst=seed-data --stations=2 --days=60 --images-per-day=12"""
_IMAGESET = 30 * 86400  # seconds between two visits to a camera
_MOVED = 0.55  # of the days, after which the camera stands elsewhere
_ANNOTATED = 0.75  # of the days, before which images are asked about
_PEOPLE = 0.012  # of the images by day have somebody in them
_DAMAGES = ("TRUNCATED", "EMPTY", "GREY")
_FIRST_IMAGE = 1001


@dataclass(frozen=True)
class Wanted:
    """The program's options."""

    days: int
    images_per_day: int
    size: tuple[int, int]  # width and height in pixels
    answers: int
    start: datetime
    quality: int
    damaged: int
    seed: int


def _size(_context: click.Context, _option: click.Parameter, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{2,4})x([0-9]{2,4})", text)
    width, height = map(int, match.groups()) if match else (0, 0)
    if width < 48 or height < 36:
        raise BadInput(f"{text} is not a WIDTHxHEIGHT from 48x36 to 9999x9999", where="--size")
    return width, height


@click.command(epilog=_EPILOG)
@click.option("--dst", type=click.Path(path_type=Path), required=True, help="new folder to write to")
@click.option("--stations", type=click.IntRange(1, 40), default=2, show_default=True, help="how many")
@click.option("--days", type=click.IntRange(1, 3660), default=60, show_default=True, help="of each station")
@click.option(
    "--images-per-day", type=click.IntRange(1, 96), default=12, show_default=True, help="by day and by night"
)
@click.option("--size", callback=_size, default="160x120", show_default=True, help="WIDTHxHEIGHT in pixels")
@click.option(
    "--answers", type=click.IntRange(0), default=800, show_default=True, help="at most, for each station"
)
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), default="2023-03-01", show_default=True,
    help="first day, in UTC",
)  # fmt: skip
@click.option("--quality", type=click.IntRange(1, 95), default=85, show_default=True, help="of the JPEGs")
@click.option(
    "--damaged", type=click.IntRange(0), default=0, show_default=True,
    help="images of each station that are truncated, empty or grey",
)  # fmt: skip
@click.option(
    "--unobserved", type=click.IntRange(0), default=0, show_default=True,
    help="so many of the last stations have no observed flow",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="another seed, other data")
def generate(dst: Path, stations: int, unobserved: int, **options: Any) -> None:
    """Make streams that are not there: time-lapse pictures, observed flow and people's answers.

    Writes the tree that FPE's database seed and the program import_seed read, with observations in
    db/datasets/<uuid>/series/FLOW_CFS.json, and DST/truth/<station>.csv with the flow in every image. The
    same options give the same bytes.
    """
    from tqdm import tqdm

    from pipelines.fpe import seed_tree

    if dst.exists() and (not dst.is_dir() or any(dst.glob("[!.]*"))):
        raise BadInput("is there already and not an empty folder", where=dst)
    wanted = Wanted(**options)
    of_each = wanted.days * wanted.images_per_day
    if wanted.damaged > of_each:
        raise BadInput(f"{wanted.damaged} is more than the {of_each} images of a station", where="--damaged")
    with (
        program.staged(dst, dst / "variables.json") as folder,
        tqdm(total=stations * of_each, desc="generate", unit="image", disable=None) as bar,
    ):
        seed_tree.write_lists(folder)
        for index in range(stations):
            write_station(folder, index, wanted, index < stations - unobserved, bar)
    click.echo(f"wrote {dst / 'variables.json'}")


def write_station(root: Path, index: int, wanted: Wanted, observed: bool, bar: tqdm) -> None:
    """The ``index``-th station, from 0, in the seed's layout below ``root``."""
    import numpy as np

    from pipelines.fpe import hydrograph, people, seed_tree, weather

    of = seed_tree.station(index)
    # Random numbers of their own for each, so that more answers leave the pictures as they are.
    flows, airs, chances, asked, gauge, hands = (
        np.random.default_rng([wanted.seed, index, part]) for part in range(6)
    )
    times = _times(wanted)
    phase = float(weather.season(times[:1], of.latitude)[0])
    curve = hydrograph.hydrograph(flows, float(times[0]), wanted.days, phase)
    skies = weather.skies(airs, times, of.latitude, of.longitude, curve)
    first = _FIRST_IMAGE + index * len(times)
    pictures = _pictures(chances, of, list(zip(times, curve.at(times), skies, strict=True)), first, wanted)
    folder = seed_tree.StationFolder(root, of)
    _write_images(folder, pictures, hands, (wanted.seed, index), wanted, bar)
    if observed:
        dataset = seed_tree.named(wanted.seed, of.code, "dataset")
        folder.add_observations(dataset, hydrograph.observed(gauge, curve))
    shown = [_seen(one) for one in pictures[: int(_ANNOTATED * len(pictures))] if not one.person]
    sheets = people.sheets(asked, shown, wanted.answers)
    uuids = (seed_tree.named(wanted.seed, of.code, "sheet", number) for number in range(len(sheets)))
    folder.add_annotations(zip(uuids, sheets, strict=True))
    folder.add_truth([_truth(picture) for picture in pictures])


def _times(wanted: Wanted) -> np.ndarray:
    """When pictures are taken, in epoch seconds: at even intervals, a camera's clock being a little off."""
    import numpy as np

    midnight = (wanted.start - datetime(1970, 1, 1)).total_seconds()
    count = wanted.days * wanted.images_per_day
    return midnight + 86400 // wanted.images_per_day * np.arange(count, dtype=float) + 295


def _pictures(
    rng: np.random.Generator, of: Station, moments: list[tuple[float, float, Sky]], first: int, wanted: Wanted
) -> list[Picture]:
    """The pictures of ``moments`` (epoch seconds, flow, sky); some with people, some damaged."""
    from pipelines.fpe import seed_tree

    broken = rng.permutation(len(moments))[: wanted.damaged].tolist()
    damages = {image: _DAMAGES[number % len(_DAMAGES)] for number, image in enumerate(broken)}
    names = seed_tree.filenames(of, [time for time, _, _ in moments])
    somebody = rng.random(len(moments)) < _PEOPLE
    return [
        seed_tree.Picture(
            id=first + number,
            time=float(time),
            filename=names[number],
            flow=float(flow),
            sky=sky,
            person=bool(somebody[number] and sky.sun > 5),
            damage=damages.get(number),
        )
        for number, (time, flow, sky) in enumerate(moments)
    ]


def _write_images(
    folder: StationFolder, pictures: list[Picture], rng: np.random.Generator, seed: tuple[int, ...],
    wanted: Wanted, bar: tqdm,
) -> None:  # fmt: skip
    """Render and write ``pictures``, an imageset for each visit to the camera."""
    import numpy as np
    from PIL import Image

    from pipelines.fpe import hydrograph, scene, seed_tree

    stream = scene.Scene(*wanted.size, seed)
    moved = rng.uniform(0.04, 0.06, 2) * rng.choice([-1, 1], 2)
    start = pictures[0].time
    sets: dict[str, list[Picture]] = {}
    for picture in pictures:
        since = picture.time - start
        imageset = seed_tree.named(wanted.seed, folder.of.code, "imageset", int(since // _IMAGESET))
        sets.setdefault(imageset, []).append(picture)
        stands = moved if since > _MOVED * wanted.days * 86400 else np.zeros(2)
        right, down = (stands + rng.normal(0, 0.006, 2)).tolist()  # wind shakes it
        stage = float(hydrograph.stage(np.array(picture.flow)))
        shot = scene.Shot(stage, picture.sky, (right, down), (*seed, picture.id), picture.person)
        folder.add_image(imageset, picture, Image.fromarray(stream.render(shot)), wanted.quality)
        bar.update()
    for imageset, own in sets.items():
        folder.add_imageset(imageset, own, wanted.size)


def _seen(picture: Picture) -> Seen:
    from pipelines.fpe import people

    sky, damaged = picture.sky, picture.damage is not None
    return people.Seen(picture.id, picture.flow, sky.sun, sky.fog, sky.ice, damaged)


def _truth(picture: Picture) -> dict[str, Any]:
    from pipelines.fpe import seed_tree

    sky = picture.sky
    row = {"image_id": picture.id, "filename": picture.filename, "timestamp": seed_tree.stamp(picture.time)}
    measures = {"flow": picture.flow, "sun": sky.sun, "fog": sky.fog, "snow": sky.snow, "ice": sky.ice}
    rounded = {key: round(value, 4) for key, value in measures.items()}
    return row | rounded | {"person": int(picture.person), "damage": picture.damage or ""}


if __name__ == "__main__":
    program.run(generate)

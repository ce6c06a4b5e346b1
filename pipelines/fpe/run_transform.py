"""The program `run_transform`: a score for every image of a station, by a trained model.

How images are scored stands in scoring.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipelines.fpe.model_options import EITHER_DASH, model_folder, model_options, path_of
from pipelines.fpe.settings import STORAGE_OF_MODEL, storage_url
from pipelines.option_types import Finite
from pipelines.program import run, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.fpe.storage import Storage

EPILOG = """\b
Example:
  python -m pipelines.fpe.run_transform --directory ~/data/fpe --station-id 29 \\
      --model-code RANK-FLOW-20240709"""


@click.command(name="run_transform", epilog=EPILOG, context_settings=EITHER_DASH)
@model_options
@STORAGE_OF_MODEL
@click.option("--input", help="Folder with images.csv.  [default: the model's input]")
@click.option("--model", help="Model file.  [default: model.pth in the model's train]")
@click.option("--dst", help="Folder to write in.  [default: the model's transform]")
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True,
              help="Images at once on a GPU.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True, help="Threads.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or the number of a GPU.")
@click.option("--max-unreadable", type=Finite(0, 1), default=0.1, show_default=True,
              help="Share of images that may be missing or broken.")  # fmt: skip
def command(
    directory: str | None, station_id: str | None, model_code: str | None, storage: str | None,
    input: str | None, model: str | None, dst: str | None, batch_size: int, workers: int, device: str,
    max_unreadable: float,
) -> None:  # fmt: skip
    """Score every image of images.csv, by its file name in the storage: out/<file name>.out, {"score": x}.

    Scores that are there by the same model stay, so that a run goes on where it was stopped. An image that
    is missing or broken has null; transform.json, written last, counts and names these. manifest.json lists
    all images.
    """
    from pipelines import devices
    from pipelines.fpe import merging, scoring
    from pipelines.fpe.storage import Storage

    folder = model_folder(directory, station_id, model_code)
    table = path_of(input, "--input", folder, "input") / "images.csv"
    images = merging.read_images(table)
    names = images["filename"].tolist()
    target = path_of(dst, "--dst", folder, "transform")
    source = Storage(storage_url(storage, directory or ".", manifest=table.with_name("manifest.json")))
    scorer = scoring.load_scorer(path_of(model, "--model", folder, "train/model.pth"), devices.chosen(device))
    (target / "transform.json").unlink(missing_ok=True)
    write_json(target / "manifest.json", manifest(source, names))
    settings = scoring.Settings(batch_size, workers, max_unreadable)
    report = scoring.score_images(names, source.read, scorer, target / "out", settings)
    write_json(
        target / "transform.json",
        {"images": report.images, "unreadable": report.unreadable, "model_sha256": scorer.digest},
    )


def manifest(storage: Storage, names: Sequence[str]) -> list[object]:
    """The images as SageMaker lists them: what their addresses begin with, and their keys."""
    return [{"prefix": storage.url(names[0]).removesuffix(names[0])}, *names]


if __name__ == "__main__":
    run(command)

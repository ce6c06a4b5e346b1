"""The program `run_transform_predictions`: the tables of 5,000 images into one.

How they are found and checked stands in merging.py.
"""

from __future__ import annotations

import click

from pipelines.fpe.model_options import EITHER_DASH, model_folder, model_options, path_of
from pipelines.program import run

EPILOG = """\b
Example:
  python -m pipelines.fpe.run_transform_predictions --directory ~/data/fpe --station-id 29 \\
      --model-code RANK-FLOW-20240709"""


@click.command(name="run_transform_predictions", epilog=EPILOG, context_settings=EITHER_DASH)
@model_options
@click.option("--input", help="Folder with images.csv.  [default: the model's input]")
@click.option("--merged", help="Folder that run_transform_merge wrote.  [default: the model's transform]")
@click.option("--dst", help="Table to write.  [default: predictions.csv in the model's transform]")
def command(
    directory: str | None, station_id: str | None, model_code: str | None, input: str | None,
    merged: str | None, dst: str | None,
) -> None:  # fmt: skip
    """Write predictions.csv: the columns of images.csv and `score`, all images in their order."""
    from pipelines.fpe import merging

    folder = model_folder(directory, station_id, model_code)
    images = merging.read_images(path_of(input, "--input", folder, "input") / "images.csv")
    source = path_of(merged, "--merged", folder, "transform")
    target = path_of(dst, "--dst", folder, "transform/predictions.csv")
    rows = merging.read_parts(source)
    merging.check_images(rows, images, source)
    merging.write_rows(rows, target)


if __name__ == "__main__":
    run(command)

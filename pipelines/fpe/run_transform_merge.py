"""The program `run_transform_merge`: the outputs of single images into tables of 5,000.

How rows are found and written stands in merging.py.
"""

from __future__ import annotations

import click

from pipelines.fpe.model_options import EITHER_DASH, model_folder, model_options, path_of
from pipelines.program import run, write_json

EPILOG = """\b
Example:
  python -m pipelines.fpe.run_transform_merge --directory ~/data/fpe --station-id 29 \\
      --model-code RANK-FLOW-20240709"""


@click.command(name="run_transform_merge", epilog=EPILOG, context_settings=EITHER_DASH)
@model_options
@click.option("--input", help="Folder with images.csv.  [default: the model's input]")
@click.option("--transform", help="Folder that run_transform wrote.  [default: the model's transform]")
@click.option("--dst", help="Folder to write the tables in.  [default: the model's transform]")
@click.option("--size", type=click.IntRange(1), default=5000, show_default=True, help="Rows of a table.")
def command(
    directory: str | None, station_id: str | None, model_code: str | None, input: str | None,
    transform: str | None, dst: str | None, size: int,
) -> None:  # fmt: skip
    """Merge the outputs of all images into predictions-00000-04999.csv and so on.

    A table has the columns of images.csv and `score`, empty for an image that could not be read. Last comes
    merge.json with the names of the tables and the counts.
    """
    from pipelines.fpe import merging

    folder = model_folder(directory, station_id, model_code)
    images = merging.read_images(path_of(input, "--input", folder, "input") / "images.csv")
    outputs = path_of(transform, "--transform", folder, "transform") / "out"
    target = path_of(dst, "--dst", folder, "transform")
    rows = merging.with_scores(images, outputs)
    (target / "merge.json").unlink(missing_ok=True)
    written = merging.write_parts(rows, target, size)
    counts = {"images": len(rows), "missing_scores": int((rows["score"] == "").sum())}
    write_json(target / "merge.json", {**counts, "files": [path.name for path in written]})


if __name__ == "__main__":
    run(command)

"""The program `combine`: the results of all partitions as one.

How they are put together does not belong here: see combining.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipelines.errors import BadInput
from pipelines.program import run, write_json


@click.command()
@click.option("--project_path", required=True, help="Project directory, with esrun.yaml.")
@click.option("--results", required=True, multiple=True,
              help="Folders with results of a partition, or a text file that names one a line.")  # fmt: skip
@click.option("--dst", required=True, help="Folder for the combined result.")
@click.option("--summary_fpath", default=None, help="JSON of counts to write last.  [default: none]")
def command(project_path: str, results: Sequence[str], dst: str, summary_fpath: str | None) -> None:
    """Make one result of all partitions, as the strategies of the project say.

    Writes result.geojson or results_raster/*.tif, and results.json last.

    \b
    Example:
      python -m pipelines.esrun.combine --project_path=park --dst=scratch/results \\
        --results scratch/partitions/partition_0 scratch/partitions/partition_1
    """
    from pipelines.esrun.combining import combine
    from pipelines.esrun.project import load_project
    from pipelines.esrun.scratch import Results

    folders = [folder for one in results for folder in _folders(Path(one).absolute())]
    record = combine(
        load_project(project_path), [Results(one) for one in folders], Results(Path(dst).absolute())
    )
    if summary_fpath is not None:
        write_json(summary_fpath, record)


def _folders(path: Path) -> list[Path]:
    """The folder itself, or those that a text file lists, relative to it."""
    if not path.is_file():
        return [path]
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"is no list of folders ({error})", where=path) from None
    return [path.parent / line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    run(command)

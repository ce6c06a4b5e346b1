"""The program `partition`: a project and a request, cut into partitions that are worked on one by one.

How they are cut does not belong here: see partitioning.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipelines.esrun.overrides import overridden
from pipelines.esrun.partitioning import listing, partition
from pipelines.esrun.project import load_project
from pipelines.program import run, write_json

AUTO = ("auto", "none", "null", "")


class Number(click.ParamType):
    """A number, or `auto` for what esrun.yaml says."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if isinstance(value, str) and value.lower() in AUTO:
            return None
        try:
            found = float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor auto", param, ctx)
        return int(found) if found.is_integer() else found


@click.command()
@click.option("--project_path", required=True, help="Project directory, with esrun.yaml.")
@click.option(
    "--request_geometry_path", default="auto", help="GeoJSON of the request.  [default: the project's]"
)
@click.option("--partitions_dpath", required=True, help="Folder to write partitions in, one folder each.")
@click.option("--dst", required=True, help="JSON to write last: the partitions, as items of a scatter.")
@click.option(
    "--partition_grid_size", type=Number(), default="auto", help="Degrees, for partition_request_geometry."
)
@click.option("--window_size", type=Number(), default="auto", help="Pixels, for prepare_window_geometries.")
@click.option("--overlap_size", type=Number(), default="auto", help="Pixels, likewise.")
@click.option("--grid_size", type=Number(), default="auto", help="Pixels, likewise.")
def command(
    project_path: str, request_geometry_path: str, partitions_dpath: str, dst: str, **values: float | None
) -> None:
    """Cut a prediction request into partitions, and each partition into windows.

    The last four options replace init_args of the partitioners in esrun.yaml; auto leaves them.

    \b
    Example:
      python -m pipelines.esrun.partition --project_path=project \\
        --partitions_dpath=out/partitions --dst=out/partitions.json --grid_size=128 --overlap_size=16
    """
    project = overridden(load_project(project_path), values)
    request = project.request(None if request_geometry_path.lower() in AUTO else request_geometry_path)
    write_json(dst, listing(partition(project, request, Path(partitions_dpath).absolute())))


if __name__ == "__main__":
    run(command)

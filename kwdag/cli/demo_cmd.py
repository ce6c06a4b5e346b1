"""`kwdag demo`: a first run, from a grid to a ranked table, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import click

from kwdag.cli.options import Command
from kwdag.errors import KwdagError

PARAMS = """\
pipeline: 'pipelines.demo.my_demo_pipeline()'
matrix:
    stage1_predict.src_fpath:
        - poem.txt
        - recipe.txt
    stage1_predict.param1: [123, 456, 32, 33]
    stage1_evaluate.workers: 4
"""

FILES = {
    "params.yaml": PARAMS,
    "poem.txt": "The river takes the rain, the sea the river.\n",
    "recipe.txt": "Two eggs, a cup of flour, a pinch of salt.\n",
}

EPILOG = """\b
Example:
  kwdag demo my-first-run"""


@click.command(cls=Command, name="demo", epilog=EPILOG)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="kwdag-demo")
def command(folder: Path) -> int:
    """Run a small grid in FOLDER and rank its results.

    It writes a params file and two inputs, and then runs the two commands that it prints.
    """
    try:
        _write_files(folder)
    except OSError as error:
        raise KwdagError(f"cannot write there: {error.strerror}", where=str(folder)) from None
    code = _step(folder, "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")
    if code == 0:
        code = _step(folder, "aggregate", "--target=out")
    return code


def _write_files(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        path = folder / name
        if not path.exists():
            path.write_text(text)


def _step(folder: Path, *words: str) -> int:
    """Run a command as a user would, and say so first."""
    import contextlib

    from kwdag.cli import cli

    click.secho(f"\n$ cd {folder} && kwdag {' '.join(words)}", bold=True)
    with contextlib.chdir(folder):
        code = cli.main(list(words), prog_name="kwdag", standalone_mode=False)
    return code if isinstance(code, int) else 0

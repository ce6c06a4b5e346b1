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
  kwdag demo my-first-run
  kwdag demo geowatch"""


@click.command(cls=Command, name="demo", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
@click.argument("words", nargs=-1, metavar="[PIPELINE] [FOLDER]", type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> int:
    """Run a small grid in FOLDER and rank its results.

    It writes a params file and two inputs, and then runs the two commands that it prints. A PIPELINE that
    brings a demo of its own, such as geowatch, runs that instead; --help behind its name tells its options.
    """
    demo = _demo_of(words[0]) if words else None
    if demo is not None:
        return _code(demo.main(list(words[1:]), prog_name=f"kwdag demo {words[0]}", standalone_mode=False))
    if len(words) > 1:
        raise KwdagError("takes one folder, or a pipeline and a folder", where="demo", hint=_known())
    folder = Path(words[0] if words else "kwdag-demo")
    try:
        _write_files(folder)
    except OSError as error:
        raise KwdagError(f"cannot write there: {error.strerror}", where=str(folder)) from None
    code = _step(folder, "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1")
    if code == 0:
        code = _step(folder, "aggregate", "--target=out")
    return code


def _demo_of(name: str) -> click.Command | None:
    """The demo that a pipeline brings: an entry point of the group `kwdag.demos`, a click command."""
    from importlib.metadata import entry_points

    found = next(iter(entry_points(group="kwdag.demos", name=name)), None)
    demo: click.Command | None = found.load() if found else None
    return demo


def _known() -> str:
    from importlib.metadata import entry_points

    return f"pipelines with a demo: {', '.join(sorted(entry_points(group='kwdag.demos').names)) or 'none'}"


def _code(found: object) -> int:
    return found if isinstance(found, int) else 0


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
    return _code(code)

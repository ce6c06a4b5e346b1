"""What the demos of pipelines share: programs called by the command line that is printed.

Which programs, and on what, stands in the demo of each pipeline.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from pipelines.errors import BadInput


def where_jobs_run(command: Callable[..., None]) -> Callable[..., None]:
    """Give a demo the options `--workers` and `--backend`."""
    workers = click.option(
        "--workers",
        type=click.IntRange(1),
        default=os.cpu_count() or 1,
        show_default="all cores",
        help="Jobs at once.",
    )
    backend = click.option(
        "--backend",
        default=lambda: "tmux" if shutil.which("tmux") else "serial",
        show_default="tmux",
        help="Where jobs run: serial, tmux or slurm.",
    )
    return workers(backend(command))


def together(folder: Path, package: str, commands: Sequence[Sequence[str]]) -> None:
    """Run programs of a package at the same time in a folder, and wait for all of them.

    Args:
        package: as in `pipelines.geowatch`.
        commands: of each the program's name and its options.

    Raises:
        BadInput: one of them failed.
    """
    words = [[sys.executable, "-m", f"{package}.{name}", *options] for name, *options in commands]
    for line in words:
        _say(folder, line)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if len(words) > 1 else None
    running = [subprocess.Popen(line, cwd=folder, env=environment) for line in words]
    for line, code in zip(words, [one.wait() for one in running], strict=True):
        _check(line, code)


def call(folder: Path, line: list[str]) -> None:
    """Run a command line in a folder. Raises BadInput: it failed."""
    _say(folder, line)
    _check(line, subprocess.run(line, cwd=folder).returncode)


def scheduled(folder: Path, params: str, workers: int, backend: str) -> None:
    """Run the grid of ``params``, a document that is kept where it is there already. Raises BadInput."""
    path = folder / "params.yaml"
    if not path.exists():
        path.write_text(params, encoding="utf-8")
    call(folder, [
        sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1",
        "--print_commands=0", f"--backend={backend}", f"--queue_size={workers}",
        "--other_session_handler=ignore",
    ])  # fmt: skip


def aggregated(folder: Path, *options: str) -> None:
    """Rank what lies in `out`, into the folder `report`. Raises BadInput: it failed."""
    call(folder, [
        sys.executable, "-m", "kwdag", "aggregate", "--target=out", "--output_dpath=report", *options,
        *drawn(),
    ])  # fmt: skip


def say_where(folder: Path, started: float, **found: str) -> None:
    """Print where the report is, what else was made (a word: a pattern of paths), and how long it took.

    Args:
        started: by `time.monotonic`.
    """
    for word, pattern in {"report": "report/*.html", **found}.items():
        for path in sorted(folder.glob(pattern)):
            click.echo(f"{word:<12}{path}")
    click.echo(f"it took     {time.monotonic() - started:.0f} s")


def drawn() -> list[str]:
    """Options of `aggregate` for the page and the plots, where the libraries are at hand that draw them."""
    wanted = {"--html=1": ("bokeh", "itables", "jinja2"), "--plot_params=png": ("matplotlib", "seaborn")}
    return [option for option, names in wanted.items() if all(map(find_spec, names))]


def _say(folder: Path, line: Sequence[str]) -> None:
    shown = shlex.join(["python", *line[1:]])
    click.secho(f"\n$ cd {shlex.quote(str(folder))} && {shown}", bold=True)


def _check(line: Sequence[str], code: int) -> None:
    if code:
        raise BadInput(f"{' '.join(line[2:4])} ended with exit code {code}", hint="its lines above say why")

"""`kwdag manager`: what models and evaluations an experiment folder holds, and sharing them by DVC.

Prints; what things are and what is done to them stands in experiment/, the options in manager_args.py.
"""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.geowatch.manager_args import (
    SETTINGS,
    TwoWords,
    agreed,
    asked,
    experiment_folder,
    json_option,
    kind_argument,
    remote_option,
    selected,
    selecting,
    yes_option,
)

if TYPE_CHECKING:
    from pipelines.geowatch.experiment.inventory import Tables
    from pipelines.geowatch.experiment.layout import Selection

EPILOG = """\b
Example:
  kwdag manager pull packages --model_pattern="Drop4_BAS_Retrain_V002*"
  kwdag manager status
  kwdag manager evaluate --model_pattern="Drop4_BAS*" --params=params.yaml --backend=tmux --run=1
  kwdag manager push evals --yes

\b
The experiment folder is --expt_dpath, else $DVC_EXPT_DPATH, else the registered folder of highest priority
with a tag that ends in `expt` (kwdag registry add). In it:
  models/fusion/<dataset code>/packages/<expt>/<model>.pt
  models/fusion/<dataset code>/pred/<expt>/<model>/...       predictions, not versioned
  models/fusion/<dataset code>/eval/<expt>/<model>/...       evaluations
  training/<host>/<user>/<dataset code>/runs/<expt>/...      checkpoints and packages of training

\b
Exit codes: 0, 1 DVC, git or a job failed, 2 bad input."""


@click.group(cls=TwoWords, name="manager", epilog=EPILOG, context_settings=SETTINGS)
def command() -> None:
    """Say what models and evaluations there are, share them by DVC, evaluate and compare."""


@command.command()
@selecting
@remote_option
@json_option
def status(
    expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str], dvc_remote: str | None, json: bool
) -> None:
    """Count what there is, by dataset code and type.

    With --dvc_remote, `needs_push` also counts tracked files whose data that remote lacks.
    """
    from pipelines.geowatch.experiment import tables

    folder, wanted = asked(expt_dpath, model_pattern, dataset_codes)
    found = tables.frames(_tables(folder, wanted, dvc_remote), folder)
    _print_tables("status", folder, tables.counts(found), json)


@command.command("list")
@selecting
@remote_option
@json_option
def list_(
    expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str], dvc_remote: str | None, json: bool
) -> None:
    """Print a row for each of them.

    Predictions, checkpoints, packages and evaluations; paths start at the experiment folder.
    With --dvc_remote, `needs_push` also marks tracked files whose data that remote lacks.
    """
    from pipelines.geowatch.experiment import tables

    folder, wanted = asked(expt_dpath, model_pattern, dataset_codes)
    found = tables.frames(_tables(folder, wanted, dvc_remote), folder)
    _print_tables("list", folder, found, json)


@command.command()
@selecting
@json_option
def report(expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str], json: bool) -> None:
    """Print the best evaluation for each metric."""
    from dataclasses import asdict

    from pipelines.geowatch.experiment import best, inventory, tables

    folder, wanted = asked(expt_dpath, model_pattern, dataset_codes)
    found, problems = best.best(inventory.versioned_rows(folder, wanted))
    for problem in problems:
        click.echo(problem, err=True)
    rows = [{**asdict(one), "path": str(one.path.relative_to(folder))} for one in found]
    if json:
        _print_json("report", folder, {"best": rows})
    elif rows:
        click.echo("\n".join(tables.lines(rows, list(rows[0]))))
    else:
        click.echo("no evaluations here; kwdag manager pull evals fetches them", err=True)


@command.command()
@kind_argument
@selecting
@remote_option
@yes_option
def pull(
    kind: str, expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str], dvc_remote: str | None,
    yes: bool,
) -> None:  # fmt: skip
    """Fetch packages or evals that others pushed.

    Brings the git branch up to date, then pulls the data that are not here.
    """
    from pipelines.geowatch.experiment import sync, versioning

    folder = experiment_folder(expt_dpath)
    store = versioning.Store(folder, dvc_remote)
    if store.uses_git and versioning.follows(folder) and agreed("bring the git branch up to date", yes):
        versioning.git_pull(folder)
    # only now: the branch may have brought new dataset codes
    files = sync.needing_pull(folder, selected(folder, model_pattern, dataset_codes), kind)
    if not files:
        click.echo(f"no {kind} need to be pulled")
    elif agreed(f"pull {sync.counted(len(files), kind)} from {store.name}", yes):
        store.pull(files)
        click.echo(f"{sync.counted(len(files), kind)} pulled from {store.name}")


@command.command()
@kind_argument
@selecting
@remote_option
@yes_option
def push(
    kind: str, expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str], dvc_remote: str | None,
    yes: bool,
) -> None:  # fmt: skip
    """Share packages or evals by DVC and git.

    Copies new ones to their place; then dvc add, dvc push, git commit, git push.
    Packages come from training/, evaluations from the runs below pred/. Only their own files are committed.
    """
    from pipelines.geowatch.experiment import sync, versioning

    folder, wanted = asked(expt_dpath, model_pattern, dataset_codes)
    store = versioning.Store(folder, dvc_remote)
    plan = sync.plan_push(folder, wanted, kind)
    for path in plan.unpackaged:
        click.echo(f"{path}: left out: no package was made of this checkpoint", err=True)
    if not plan.files:
        click.echo(f"no {kind} to push")
        return
    new = f"{len(plan.copies)} to copy, {len(plan.to_track)} to track"
    if agreed(f"push {sync.counted(len(plan.files), kind)} to {store.name} ({new})", yes):
        done = sync.push(store, plan, kind, lambda text: click.echo(text, err=True))
        git = " and committed" * done.committed + " and published" * done.published
        click.echo(f"{done.copied} copied, {done.added} tracked, {done.sent} sent to {store.name}{git}")


@command.command(context_settings={"ignore_unknown_options": True})
@selecting
@click.option("--params", required=True, help="The matrix without the model: YAML text or file.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[FURTHER OPTIONS]...")
def evaluate(
    expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str], params: str, options: Sequence[str]
) -> None:
    """Evaluate packages, gather the evaluations.

    Further options go to `python -m pipelines.geowatch.schedule_evaluation`, such as --backend=tmux; without
    --run=1 it is a dry run. A model of saliency runs the pipeline `bas`, one of phases `sc`, unless told
    otherwise.
    """
    from pipelines.geowatch.experiment import evaluating, inventory, sync

    folder, wanted = asked(expt_dpath, model_pattern, dataset_codes)
    packages = sync.of_kind(list(inventory.versioned_rows(folder, wanted)), sync.PACKAGES)
    rows = [row for row in packages if row.has_raw]
    code = 0
    for row, line in zip(rows, evaluating.commands(folder, rows, params, options), strict=True):
        click.secho(f"{row.model} ({row.dataset_code}, {row.expt})", bold=True, err=True)
        code = max(code, evaluating.run(line))
    gathered = sync.gather_evals(folder, wanted)
    if gathered:
        number = sync.counted(len(gathered), "evaluations")
        click.echo(f"{number} gathered; kwdag manager report compares them", err=True)
    sys.exit(code)


def _tables(folder: Path, wanted: Selection, remote: str | None) -> Tables:
    """The tables of a folder; where a remote is named, with what it lacks."""
    from pipelines.geowatch.experiment import inventory, versioning

    found = inventory.take(folder, wanted)
    if remote is None:
        return found
    here = [row.raw for row in found.versioned if row.has_dvc and row.has_raw]
    return inventory.with_lacking(found, versioning.Store(folder, remote).lacking(here))


def _print_tables(verb: str, folder: Path, shown: dict[str, Any], json: bool) -> None:
    from pipelines.geowatch.experiment import tables

    if json:
        _print_json(verb, folder, {name: table.to_dict("records") for name, table in shown.items()})
    else:
        click.echo(f"{folder}\n\n{tables.text(shown)}")


def _print_json(verb: str, folder: Path, content: dict[str, Any]) -> None:
    head = {"schema": f"kwdag.manager.{verb}", "version": 1, "expt_dpath": str(folder)}
    click.echo(json_format.dumps({**head, **content}, indent=1, default=str))


if __name__ == "__main__":
    from pipelines.program import run

    run(command)

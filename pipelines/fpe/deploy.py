"""The program `deploy`: finished models become visible, as rows of the database and files of the storage.

How they are checked and written stands in deploying.py, which of several is the best in deploy_choice.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.errors import BadInput
from pipelines.fpe import settings
from pipelines.fpe.dataset_files import folder_of
from pipelines.fpe.model_options import EITHER_DASH
from pipelines.option_types import STATION_ID
from pipelines.program import run, write_json

if TYPE_CHECKING:
    from pipelines.fpe.deploy_choice import Choice
    from pipelines.fpe.deploy_files import Deployment, Kind
    from pipelines.fpe.deploy_rows import Deployed

EPILOG = """\b
Examples:
  python -m pipelines.fpe.deploy -d ~/data/fpe -t RANK -v FLOW_CFS -c RANK-FLOW-20240709 \\
      ~/data/fpe/stations.txt
  python -m pipelines.fpe.deploy --station-id 29 --model-code RANK-FLOW-20240709 --dst deploy.json \\
      --predictions a.csv b.csv --report a.html b.html --evaluation a.json b.json"""


@click.command(name="deploy", epilog=EPILOG, context_settings=EITHER_DASH)
@click.argument("stations", required=False, type=click.Path(path_type=Path))
@click.option("-d", "--directory", default=".", show_default="here", help="Root of all stations' folders.")
@click.option("-c", "--model-code", required=True, help="Of the models, and the name of their pages.")
@click.option("-t", "--model-type", default="RANK", show_default=True)
@click.option("-v", "--variable", "--variable-id", default="FLOW_CFS", show_default=True)
@click.option("-s", "--site", help="What addresses in the database begin with.  [default: STORAGE/models]")
@click.option("--station-id", type=STATION_ID, help="A single station, in place of STATIONS.")
@click.option("--predictions", multiple=True, help="Tables of its models, or a .txt that names one a line.")
@click.option("--report", multiple=True, help="Their pages, in the same order, or such a .txt.")
@click.option("--evaluation", multiple=True, help="What evaluate wrote of them, or such a .txt.")
@click.option(
    "--metric", default="tau_test_out", show_default=True, help="Decides which of them is the best."
)
@click.option("--dst", type=click.Path(path_type=Path), help="JSON file that tells which was deployed.")
@click.option("-o", "--overwrite", is_flag=True, help="Replace what is deployed under this code.")
@click.option("--no-default", is_flag=True, help="Leave the default models of the stations as they are.")
@settings.DATABASE
@settings.STORAGE
def command(
    stations: Path | None, directory: str, model_code: str, model_type: str, variable: str, site: str | None,
    station_id: int | None, predictions: Sequence[str], report: Sequence[str], evaluation: Sequence[str],
    metric: str, dst: Path | None, overwrite: bool, no_default: bool, database: str | None,
    storage: str | None,
) -> None:  # fmt: skip
    """Show models to the world, each as the default of its station.

    STATIONS is a text file with the id of a station a line: their models below the root are deployed, and
    listed beside it in STATIONS-models-db.csv and STATIONS-models-uuid.txt. With --station-id it is one
    model, or the best of several. Files go to models/UUID/ in the storage, then all rows into the database
    at once. The same command again changes nothing.
    """
    from pipelines.fpe import database as databases
    from pipelines.fpe import deploy_choice, deploy_lists
    from pipelines.fpe.deploy_files import Kind
    from pipelines.fpe.deploying import Manner, deploy
    from pipelines.fpe.storage import Storage

    root = Path(settings.at_home(directory))
    choice = deploy_choice.best(deploy_choice.candidates(predictions, report, evaluation), metric)
    ids = _station_ids(stations, station_id, choice, dst)
    kind = Kind(variable, model_type, model_code)
    models = [_finished(root, one, kind, choice) for one in ids]
    for target in deploy_lists.beside(stations) if stations else [dst] if dst else []:
        _refuse_unwritable(target)
    store = Storage(settings.storage_url(storage, root))
    engine = databases.connect(settings.database_url(database, root))
    try:
        done = deploy(engine, store, models, Manner(site, overwrite, default=not no_default))
    finally:
        engine.dispose()
    for one in done:
        click.echo(one.sentence)
    if stations:
        deploy_lists.write(stations, [one.row for one in done])
    elif dst:
        write_json(dst, _record(done[0], choice, dst))


def _station_ids(
    stations: Path | None, station_id: int | None, choice: Choice | None, dst: Path | None
) -> list[int]:
    from pipelines.fpe import deploy_lists

    if stations is None:
        if station_id is None:
            raise BadInput("neither a file of stations nor --station-id is given", hint="see --help")
        return [station_id]
    for name, given in {"--station-id": station_id, "--predictions": choice, "--dst": dst}.items():
        if given is not None:
            raise BadInput(f"does not go together with {stations}", where=name, hint="see --help")
    return deploy_lists.read_stations(stations)


def _finished(root: Path, station_id: int, kind: Kind, choice: Choice | None) -> Deployment:
    from pipelines.fpe.deploy_files import Deployment

    folder = folder_of(None, str(root), station_id, "models", kind.code)
    if choice is not None:
        return Deployment(station_id, kind, choice.best.predictions, choice.best.report)
    table, page = folder / "transform" / "predictions.csv", folder / f"{kind.code}.html"
    return Deployment(station_id, kind, table, page, folder)


def _refuse_unwritable(path: Path) -> None:
    """Raise BadInput now, before anything is deployed, if ``path`` could not be written afterwards."""
    folder = next(one for one in path.absolute().parents if one.exists())
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput("cannot be written", where=path)


def _record(done: Deployed, choice: Choice | None, dst: Path) -> dict[str, Any]:
    """What `dst` says: the same whenever the same is deployed, wherever the root is."""
    metrics: dict[str, Any] = {"deployed": 1}
    chosen: dict[str, Any] = {}
    if choice is not None:
        metrics |= {"candidates": choice.count, **choice.metrics}
        place = os.path.relpath(choice.best.predictions, dst.parent)
        chosen = {"candidate": choice.number, "decided_by": choice.decided_by, "predictions": place}
    row = {name: done.row[name] for name in ("station_id", "variable_id", "model_type_id", "code", "uuid")}
    info = [{"program": "pipelines.fpe.deploy", **chosen}]
    return {"info": info, "result": {"metrics": metrics}, **row}


if __name__ == "__main__":
    run(command)

"""The program `report`: a model's diagnostics as one page that needs nothing but itself.

What is read, tabled and drawn stands in report_data.py, report_tables.py and report_plots.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipelines.fpe.model_options import EITHER_DASH, model_folder, model_options, path_of
from pipelines.program import run, writing

if TYPE_CHECKING:
    from pipelines.fpe.report_data import Material

EPILOG = """\b
Example:
  python -m pipelines.fpe.report --directory ~/data/fpe --station-id 29 --model-code RANK-FLOW-20240709"""


@click.command(name="report", epilog=EPILOG, context_settings=EITHER_DASH)
@model_options
@click.option(
    "--input", help="Folder with pairs.csv, rank-input.json, station.json.  [default: the model's input]"
)
@click.option("--train", help="Folder with metrics.csv and args.json.  [default: the model's train]")
@click.option("--predictions", help="Table of scores.  [default: predictions.csv in the model's transform]")
@click.option("--dst", help="HTML file to write.  [default: MODEL_CODE.html in the model's folder]")
def command(
    directory: str | None, station_id: str | None, model_code: str | None, input: str | None,
    train: str | None, predictions: str | None, dst: str | None,
) -> None:  # fmt: skip
    """Write a page with what a model was given, how it learned, and how well it ranks.

    The page holds its pictures, asks no network for anything, and can be printed. Times are the station's
    local ones. With --input, --train, --predictions and --dst, --model-code alone is what the page calls the
    model.
    """
    # By itself, a code names no folder.
    folder = model_folder(directory, station_id, model_code if directory or station_id else None)
    source = path_of(input, "--input", folder, "input")
    losses = path_of(train, "--train", folder, "train")
    scores = path_of(predictions, "--predictions", folder, "transform/predictions.csv")
    target = path_of(dst, "--dst", folder, f"{model_code}.html")
    from pipelines.fpe.report_data import read

    material = read(source, losses, scores)
    text = page(material, model_code or str(material.record.get("model_code") or "unnamed model"))
    with writing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def page(material: Material, code: str) -> str:
    """The whole page; the same material gives the same text.

    Raises:
        BadInput: the station's time zone is not known.
    """
    from importlib import resources

    import jinja2

    from pipelines.fpe import evaluate, report_tables

    metrics = evaluate.measure(material.rows, material.pairs, material.timezone)
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    source = resources.files(__package__).joinpath("templates", "report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(
        code=code,
        station=material.name,
        variable=material.variable,
        timezone=material.timezone,
        facts=report_tables.facts(material, code),
        parameters=report_tables.parameters(material),
        counts=report_tables.counts(material),
        notes=report_tables.notes(material, metrics),
        correlations=report_tables.correlations(metrics),
        agreement=report_tables.agreement(metrics),
        compared=len(material.compared),
        pictures=pictures(material),
    )


def pictures(material: Material) -> dict[str, Any]:
    """By name; those that compare scores with observations are left out where there are none."""
    from pipelines.fpe import report_plots as plots

    found = {"inputs": plots.inputs, "losses": plots.losses, "series": plots.series}
    if len(material.compared):
        found |= {
            "scatter": plots.scatter, "ranks": plots.ranks, "residuals": plots.residuals,
            "daily_series": plots.daily_series, "daily_scatter": plots.daily_scatter,
        }  # fmt: skip
    return {name: draw(material) for name, draw in found.items()}


if __name__ == "__main__":
    run(command)

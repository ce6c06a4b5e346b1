"""`kwdag inspect`: what a pipeline is made of, and a params document to start from."""

from __future__ import annotations

import click

from kwdag.cli.options import Command, flag, print_json

EPILOG = """\b
Example:
  kwdag inspect 'pipelines.demo.my_demo_pipeline()'
  kwdag inspect pipeline.yaml --yaml > same.yaml"""


@click.command(cls=Command, name="inspect", epilog=EPILOG)
@click.argument("pipeline")
@flag("--yaml", 0, "Print the pipeline as a YAML pipeline.")
@flag("--json", 0, "Print the report as JSON.")
def command(pipeline: str, yaml: bool, json: bool) -> None:
    """Show the nodes, ports and parameters of PIPELINE, and a params document to start from."""
    from kwdag.pipeline_ref import load_pipeline
    from kwdag.report import inspect_text
    from kwdag.yaml_pipeline import to_spec

    found = load_pipeline(pipeline)
    if yaml:
        import yaml as pyyaml

        click.echo(pyyaml.safe_dump(to_spec(found), sort_keys=False, allow_unicode=True), nl=False)
    elif json:
        print_json("inspect", 1, inspect_text.as_json(found))
    else:
        click.echo("\n".join(inspect_text.lines(found, pipeline)))

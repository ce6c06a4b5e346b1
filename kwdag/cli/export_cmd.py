"""`kwdag export`: the jobs of a pipeline as a template for a service; kwdag/export makes it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kwdag.cli.options import Command
from kwdag.errors import KwdagError, did_you_mean

if TYPE_CHECKING:
    from kwdag.export.planned import Planned
    from kwdag.export.uploads import Upload

EPILOG = """\b
Example:
  kwdag export pipeline.yaml --params=params.yaml --to=cloudformation -o template.yaml
  S3_ROOT=s3://bucket/folder              (upload the inputs, as the export has said)
  aws cloudformation deploy --stack-name=kwdag --template-file=template.yaml --parameter-overrides \\
      S3Root=$S3_ROOT RoleArn=arn:aws:iam::123456789012:role/kwdag ImageUri=...
  aws sagemaker start-pipeline-execution --pipeline-name=kwdag
  aws s3 sync $S3_ROOT out                (when it has ended: record the results, and rank them)
  kwdag schedule --pipeline=pipeline.yaml --params=params.yaml --root_dpath=out --adopt=1 --run=1
  kwdag aggregate --target=out

\b
The image holds bash and the programs, which start in its working folder. Each job is a Processing step that
gets the folders of the jobs it reads from out of S3, and puts its own there, as below a root."""

TARGETS = ("cloudformation",)
FORMATS = {".json": "as_json", ".yaml": "as_yaml", ".yml": "as_yaml"}


@click.command(cls=Command, name="export", epilog=EPILOG)
@click.argument("pipeline", required=False)
@click.option("--params", help="The matrix: YAML text, or the path of a YAML file.")
@click.option("--to", default="cloudformation", show_default=True, help="What to write: cloudformation.")
@click.option(
    "-o", "--output", help="The file to write, .json or .yaml; without it, YAML on standard output."
)
@click.option(
    "--root_dpath", default="/opt/ml/processing/kwdag", show_default=True, help="The root in the containers."
)
def command(pipeline: str | None, params: str | None, to: str, output: str | None, root_dpath: str) -> None:
    """Write what the params ask of PIPELINE as a CloudFormation template with a SageMaker pipeline.

    All jobs are in it, one step each, whatever is done already elsewhere. PIPELINE may be left out where the
    params name it. A pipeline with a node that scatters cannot be exported.
    """
    from kwdag.export import cloudformation, sagemaker
    from kwdag.export.planned import plan_jobs
    from kwdag.export.uploads import all_uploads

    if to not in TARGETS:
        raise KwdagError(f"{to!r} is unknown", where="--to", hint=did_you_mean(to, TARGETS))
    write = getattr(cloudformation, _format(output))
    planned = plan_jobs(params, pipeline, sagemaker.checked_root(root_dpath))
    uploads = all_uploads(planned.jobs)
    text = write(cloudformation.template(sagemaker.definition(planned), uploads))
    if output:
        from kwdag.jobdir import write_replacing

        write_replacing(output, text, shared=True)
    else:
        click.echo(text, nl=False)
    report = _report(planned, uploads, len(text.encode()))
    click.echo("\n".join(report), err=not output)


def _format(output: str | None) -> str:
    """The function that writes a file of that name; raises KwdagError."""
    if output is None:
        return "as_yaml"
    folder, suffix = os.path.dirname(output) or ".", os.path.splitext(output)[1].lower()
    if suffix not in FORMATS:
        raise KwdagError(f"{output!r} is neither .json nor .yaml", where="--output")
    if not os.path.isdir(folder):
        raise KwdagError(f"there is no folder {folder!r}", where="--output")
    if os.path.isdir(output):
        raise KwdagError(f"{output!r} is a folder", where="--output")
    return FORMATS[suffix]


def _report(planned: Planned, uploads: list[Upload], size: int) -> list[str]:
    """What a person must know besides the template, in lines."""
    from kwdag.export.cloudformation import DIRECT
    from kwdag.export.container import programs_by_path
    from kwdag.export.sagemaker import MOST_STEPS
    from kwdag.export.uploads import upload_command

    jobs = len(planned.jobs)
    lines = [f"warning: {warning}" for warning in planned.warnings]
    lines.append(f"{jobs} steps" if jobs != 1 else "1 step")
    if jobs > MOST_STEPS:
        lines.append(f"an AWS account allows {MOST_STEPS} steps in a pipeline until it asks for more")
    if size > DIRECT:
        lines.append(f"{size:,} bytes: give `aws cloudformation deploy` a bucket by --s3-bucket")
    lines += [f"the image must have {program}, which commands name" for program in programs_by_path(planned)]
    if uploads:
        lines.append("upload before the pipeline starts, with S3_ROOT set to the parameter S3Root:")
        lines += [f"  {upload_command(upload)}" for upload in uploads]
    return lines

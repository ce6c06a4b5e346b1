"""The program `esrun-local-predict`: all steps of a prediction, or some, in a scratch directory.

What the steps do stands in predict_runner.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.esrun.predict_runner import EsPredictRunner
from pipelines.program import run

STEPS = ("partition", "dataset_build", "inference", "postprocess", "combine")

EPILOG = """\b
Example:
  esrun-local-predict my_project --scratch-path /tmp/scratch
  esrun-local-predict my_project --scratch-path /tmp/scratch \\
      --steps inference,postprocess --partition-ids partition_3"""


@click.command(name="esrun-local-predict", epilog=EPILOG)
@click.argument("project_path", type=click.Path(path_type=Path), default=".")
@click.option(
    "--scratch-path",
    "--scratch_path",
    type=click.Path(path_type=Path),
    help="Where all files go.  [default: scratch, in the project]",
)
@click.option("--request-geometry-path", "--request_geometry_path", help="GeoJSON.  [default: the project's]")
@click.option("--checkpoint-path", "--checkpoint_path", help="Weights.  [default: the project's]")
@click.option(
    "--steps",
    multiple=True,
    default=(",".join(STEPS),),
    show_default=True,
    help="Which steps, with commas between; they run in their own order.",
)
@click.option("--partition-ids", "--partition_ids", multiple=True, help="Only these.  [default: all]")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="For the dataset.")
def command(
    project_path: Path,
    scratch_path: Path | None,
    request_geometry_path: str | None,
    checkpoint_path: str | None,
    steps: Sequence[str],
    partition_ids: Sequence[str],
    workers: int,
) -> None:
    """Predict for a request: partition it, build datasets, run the model, post-process, combine.

    What is there already is not made again, so that the same command goes on where it was stopped. A
    partition that fails leaves the others; nothing is combined then.
    """
    wanted = _steps(steps)
    runner = EsPredictRunner(
        project_path,
        scratch_path or project_path / "scratch",
        request_geometry_path,
        checkpoint_path,
        workers,
    )
    ids = runner.partition() if "partition" in wanted else runner.partition_ids()
    only = _words(partition_ids)
    ids = [part.id for part in runner.parts(only or ids)]
    if not ids:
        raise BadInput("has no partitions yet", where=runner.scratch.path, hint="add the step partition")
    if "partition" in wanted:
        click.echo(f"partition     {_count(len(ids), 'partition')} in {runner.scratch.partitions}")
    ids = _each(runner, wanted, ids)
    if "combine" in wanted:
        click.echo(f"combine       {runner.combine(ids)}")


def _each(runner: EsPredictRunner, wanted: Sequence[str], ids: list[str]) -> list[str]:
    """The steps that go partition by partition; a failed one is left out of those that follow.

    Raises:
        BadInput: the first error, once all others have been done.
    """
    calls: dict[str, Callable[[str], object]] = {
        "dataset_build": runner.build_dataset,
        "inference": runner.run_inference,
        "postprocess": runner.postprocess,
    }
    errors: dict[str, BadInput] = {}
    for step in (step for step in STEPS if step in wanted and step in calls):
        done = [name for name in ids if name not in errors]
        errors |= _tried(calls[step], step, done)
        click.echo(f"{step:<13} {_count(len(set(done) - set(errors)), 'partition')}")
    if errors:
        name, error = next(iter(errors.items()))
        others = f"; {len(errors) - 1} other(s) failed, too" if len(errors) > 1 else ""
        raise BadInput(f"{name} of {len(ids)} failed{others}: {error}")
    return ids


def _tried(call: Callable[[str], object], step: str, ids: Sequence[str]) -> dict[str, BadInput]:
    from tqdm import tqdm

    errors: dict[str, BadInput] = {}
    for name in tqdm(ids, desc=step, unit="partition", disable=None):
        try:
            call(name)
        except BadInput as error:
            errors[name] = error
    return errors


def _steps(texts: Sequence[str]) -> list[str]:
    found = _words(texts)
    for name in found:
        if name not in STEPS:
            raise BadInput(f"no step {name!r}", where="--steps", hint=did_you_mean(name, STEPS))
    return found


def _words(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in text.replace(",", " ").split()]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def main() -> None:
    run(command)


if __name__ == "__main__":
    main()

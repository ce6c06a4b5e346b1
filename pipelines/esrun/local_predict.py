"""The program `esrun-local-predict`: all steps of a prediction, or some, in a scratch directory.

What the steps do stands in predict_runner.py.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput
from pipelines.esrun.ahead import check_ahead
from pipelines.esrun.predict_runner import EsPredictRunner
from pipelines.program import run

STEPS = ("partition", "dataset_build", "inference", "postprocess", "combine")

NAMED = 3  # of partitions that failed, beside the first

EPILOG = """\b
Example:
  esrun-local-predict my_project --scratch-path /tmp/scratch
  esrun-local-predict my_project --scratch-path /tmp/scratch \\
      --steps inference,postprocess --partition-ids partition_3"""


# what follows --steps or --partition-ids belongs to them, so that the project comes first
@click.command(name="esrun-local-predict", epilog=EPILOG, options_metavar="")
@click.argument(
    "project_path", type=click.Path(path_type=Path), default=".", metavar="[PROJECT_PATH] [OPTIONS]"
)
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
    default=STEPS,
    help=f"Some of {', '.join(STEPS)}, with commas between; they run in that order.  [default: all]",
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
    wanted, only = _steps(steps), _words(partition_ids, "--partition-ids")
    runner = EsPredictRunner(
        project_path,
        scratch_path or project_path / "scratch",
        request_geometry_path,
        checkpoint_path,
        workers,
    )
    check_ahead(runner, wanted)
    ids = runner.partition() if "partition" in wanted else runner.partition_ids()
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
        BadInput: the first error, once all other partitions have been done.
    """
    calls: dict[str, Callable[[str], object]] = {
        "dataset_build": runner.build_dataset,
        "inference": runner.run_inference,
        "postprocess": runner.postprocess,
    }
    errors: dict[str, str] = {}
    for step in (step for step in STEPS if step in wanted and step in calls):
        if left := [name for name in ids if name not in errors]:
            done = _tried(calls[step], step, left, errors)
            windows = [count for count in done.values() if isinstance(count, int)]
            told = f", {_count(sum(windows), 'window')}" if windows else ""
            click.echo(f"{step:<13} {_count(len(done), 'partition')}{told}")
    if errors:
        name, *others = errors
        hint = (
            f"so did {', '.join(others[:NAMED])}{', ...' if len(others) > NAMED else ''}" if others else None
        )
        raise BadInput(f"{name} failed ({len(errors)} of {len(ids)} did): {errors[name]}", hint=hint)
    return ids


def _tried(
    call: Callable[[str], object], step: str, ids: Sequence[str], errors: dict[str, str]
) -> dict[str, object]:
    """What ``call`` returns for each partition; why it failed goes into ``errors``."""
    from tqdm import tqdm

    done: dict[str, object] = {}
    for name in tqdm(ids, desc=step, unit="partition", disable=None):
        try:
            done[name] = call(name)
        except BadInput as error:
            errors[name] = str(error)
        except ModuleNotFoundError:  # all of them need it
            raise
        except Exception as error:  # of a class of the user's, say: the other partitions may well be without
            traceback.print_exc()
            errors[name] = f"{type(error).__name__}: {error}"
    return done


def _steps(texts: Sequence[str]) -> list[str]:
    found = _words(texts, "--steps")
    for name in found:
        if name not in STEPS:
            raise BadInput(f"no step {name!r}", where="--steps", hint=did_you_mean(name, STEPS))
    return found


def _words(texts: Sequence[str], option: str) -> list[str]:
    """What an option lists. Raises BadInput if it is given with nothing, as from an empty variable."""
    found = [word for text in texts for word in text.replace(",", " ").split()]
    if texts and not found:
        raise BadInput("names nothing", where=option, hint="leave it out for all")
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def main() -> None:
    run(command)


if __name__ == "__main__":
    main()

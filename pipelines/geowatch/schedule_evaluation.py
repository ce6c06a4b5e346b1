"""Schedule an evaluation with the names, flags and options of the seed: `kwdag schedule` does the work.

It only translates; kwdag's own options pass through as they are.
"""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from typing import Any

import click

from kwdag.backends import shares
from kwdag.matrix import expand, load_params
from kwdag.params import Params
from pipelines import program
from pipelines.errors import BadInput
from pipelines.geowatch.aliases import FLAGS
from pipelines.geowatch.evaluation_rows import Request, check_files, rewrite, sayings
from pipelines.geowatch.pipelines import NAMED

DEFAULT = "joint_bas_sc"
EVALUATING = ("bas", "sc", "crop_sc", "joint_bas_sc", "joint_bas_sc_nocrop", "joint_bas_sv_sc")
MAX_ROWS = 100_000

EPILOG = """\b
Example (a dry run; --run=1 runs it):
  python -m pipelines.geowatch.schedule_evaluation --params="
      matrix:
          trk.pxl.model: [models/bas_*.pt]
          trk.pxl.data.test_dataset: data/data.kwcoco.json
          trk.poly.thresh: [0.07, 0.1, 0.2]
          crop.src: data/data.kwcoco.json
          crop.regions: trk.poly.output
          act.pxl.data.test_dataset: crop.dst
          act.pxl.model: models/sc.pt
  " --root_dpath=out --backend=tmux --queue_size=2 --enable_viz_pred_act_poly=0

\b
All options of `kwdag schedule` work here too: see `kwdag schedule --help`."""


def _flags(command: click.Command) -> click.Command:
    """Add a switch for each step, all of them on by default."""
    for flag, nodes in reversed(FLAGS.items()):
        command.params.insert(0, click.Option(
            [f"--{flag}"], type=click.BOOL, default=True, is_flag=False, flag_value=True,
            metavar="0|1", help=f"Run {', '.join(nodes)}.",
        ))  # fmt: skip
    return command


@click.command(
    name="schedule_evaluation",
    epilog=EPILOG,
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "max_content_width": 110,
        "help_option_names": ["-h", "--help"],
    },
)
@click.option("--params", required=True, help="The matrix: YAML text, or the path of a YAML file.")
@click.option("--pipeline", help=f"One of {', '.join(EVALUATING)}.  [default: {DEFAULT}]")
@click.option("--true_site_dpath", help="Folder of true site models; by default found beside the dataset.")
@click.option(
    "--true_region_dpath", help="Folder of true region models; by default found beside the dataset."
)
@click.option(
    "--devices",
    help="GPUs to share out, `auto` or such as 0,1: each job of bas_pxl and sc_pxl gets one, the other"
    " jobs see none. Where this machine has no GPU all run on the CPU. On Slurm: --slurm_options.",
)
@click.pass_context
def command(ctx: click.Context, params: str, pipeline: str | None, **asked: Any) -> None:
    """Predict, track, crop and evaluate over a grid of parameters.

    Parameters have the names of nodes (bas_pxl.*, bas_poly.*, sc_crop.*, sc_pxl.*, sc_poly.*) or their old
    ones (trk.pxl.*, trk.poly.*, crop.*, act.pxl.*, act.poly.*). Those of a step that is off are ignored,
    unless a step that is on reads what it has made.
    """
    off = frozenset(node for flag, nodes in FLAGS.items() if not asked[flag] for node in nodes)
    truth = {key: asked[key] for key in ("true_site_dpath", "true_region_dpath") if asked[key]}
    # The results of jobs that are kept may outlive what they were made of.
    document = translate(params, pipeline, off, truth, read="--stale=keep" not in ctx.args)
    devices = [f"--devices={asked['devices']}"] if asked["devices"] else []
    if devices and shares.gpus():
        document["pipeline"] = document["pipeline"].replace("()", "(gpus=1)")
    sys.argv = ["kwdag", "schedule", f"--params={json.dumps(document)}", *devices, *ctx.args]
    # As a program, not as a library: nobody imports the command line of kwdag.
    runpy.run_module("kwdag", run_name="__main__")


_flags(command)


def translate(
    params: Any, pipeline: str | None = None, off: frozenset[str] = frozenset(), truth: Any = None,
    read: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A params document in the seed's names, as kwdag takes it.

    Args:
        params: mapping, YAML text or path of a YAML file.
        off: names of the nodes that are switched off.
        truth: `true_site_dpath` and `true_region_dpath`, where they were given.
        read: the inputs must be there.

    Raises:
        KwdagError: an unknown name, a value that stands for no file; nothing was written.
    """
    loaded = load_params(params)
    name = _pipeline(loaded, pipeline)
    wiring = NAMED[name]().wiring()
    if not wiring.nodes.keys() - off:
        raise BadInput("every step is off", hint=f"switch one on: --{next(iter(FLAGS))}=1")
    request = Request(wiring, off, truth or {}, sayings(loaded.keys()))
    rows = rewrite(expand(loaded, max_rows=MAX_ROWS).rows, loaded.keys(), request)
    if read:
        check_files(rows, request)
    document: dict[str, Any] = {"pipeline": f"pipelines.geowatch.{name}()", "include": rows}
    if loaded.slurm_options:
        document["slurm_options"] = dict(loaded.slurm_options)
    return document


def _pipeline(params: Params, given: str | None) -> str:
    """The name of the pipeline, which is given as `bas` or as `pipelines.geowatch.bas()`."""
    asked = given or params.pipeline or DEFAULT
    name = str(asked).removeprefix("pipelines.geowatch.").removesuffix("()")
    if name in NAMED and name not in EVALUATING:
        hint = f"kwdag schedule --pipeline='pipelines.geowatch.{name}()' runs it"
        raise BadInput(f"{name!r} trains, which has no steps to switch", where="--pipeline", hint=hint)
    if name not in EVALUATING:
        raise BadInput(f"no pipeline {asked!r}", where="--pipeline", hint=f"known: {', '.join(EVALUATING)}")
    return name


def main(argv: Sequence[str] | None = None) -> None:
    """Run as a program."""
    program.run(command, argv)


if __name__ == "__main__":
    main()

"""What the commands of `kwdag manager` share: their options, the folder that is meant, and asking a person.

Only arguments; what the commands do with them stands in manager.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipelines.errors import BadInput
from pipelines.geowatch import registry_file

if TYPE_CHECKING:
    from pipelines.geowatch.experiment.layout import Selection

T = TypeVar("T", bound=Callable[..., Any])

KINDS = ("packages", "evals")

SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 110,
    "token_normalize_func": lambda token: token.replace("-", "_"),
}


class TwoWords(click.Group):
    """Takes `"pull packages"` in one word for `pull packages`, and `--dataset_codes A B` for `A,B`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-"):
            args = [*args[0].split(), *_spread(args[1:])]
        return super().parse_args(ctx, args)


def _spread(args: Sequence[str]) -> list[str]:
    """Repeat the name of the option before each of its values."""
    found, several = [], False
    for arg in args:
        if arg.startswith("-"):
            several = arg.replace("-", "_") == "__dataset_codes"
            found += [] if several else [arg]
        else:
            found.append(f"--dataset_codes={arg}" if several and arg not in KINDS else arg)
    return found


def selecting(function: T) -> T:
    """The options that say which experiment folder and which models are meant."""
    for option in (
        click.option(
            "--dataset_codes", multiple=True, metavar="A,B", help="Only these; patterns are allowed."
        ),
        click.option(
            "--model_pattern",
            default="*",
            show_default=True,
            help="Only models whose name fits, such as 'V2*'; or a .txt file of patterns or paths.",
        ),
        click.option("--expt_dpath", default="auto", show_default=True, help="The experiment folder."),
    ):
        function = option(function)
    return function


remote_option = click.option("--dvc_remote", help="Name of the DVC remote.  [default: the repository's own]")
yes_option = click.option("--yes", is_flag=True, help="Ask nothing.")
json_option = click.option("--json", is_flag=True, help="Print the report as JSON.")
kind_argument = click.argument("kind", type=click.Choice(KINDS))


def asked(expt_dpath: str, model_pattern: str, dataset_codes: Sequence[str]) -> tuple[Path, Selection]:
    """The experiment folder and what is selected in it; raises BadInput."""
    folder = experiment_folder(expt_dpath)
    return folder, selected(folder, model_pattern, dataset_codes)


def selected(folder: Path, model_pattern: str, dataset_codes: Sequence[str]) -> Selection:
    """What is selected in a folder; raises BadInput for a dataset code that is not there."""
    from pipelines.geowatch.experiment import layout

    codes = (code.strip() for one in dataset_codes for code in one.split(","))
    return layout.selection(model_pattern, tuple(code for code in codes if code not in ("", "*")), folder)


def experiment_folder(expt_dpath: str) -> Path:
    """The folder that `--expt_dpath` means; raises BadInput when there is none."""
    given = os.environ.get("DVC_EXPT_DPATH") if expt_dpath == "auto" else expt_dpath
    folder = Path(given or _registered()).expanduser().absolute()
    if not folder.is_dir():
        raise BadInput(f"no such folder: {folder}", "--expt_dpath")
    return folder


def _registered() -> str:
    """The registered experiment folder of highest priority that exists here."""
    entries = registry_file.read(registry_file.path())
    tagged = [one for one in entries if one.exists and any(tag.endswith("expt") for tag in one.tags)]
    if not tagged:
        hint = "give it, or: kwdag registry add --name=my_expt --path=... --tags=expt"
        raise BadInput("no experiment folder is known", "--expt_dpath", hint)
    return tagged[0].path


def agreed(what: str, yes: bool) -> bool:
    """Whether the person agrees; raises BadInput where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise BadInput(f"would {what}, but nobody can be asked", hint="--yes says yes")
    return click.confirm(f"{what}?", default=True, err=True)

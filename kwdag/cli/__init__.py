"""The command line: one module per command; it parses and prints, and decides nothing.

Each command is imported only when it is called, so that `kwdag --help` stays fast. Further ones are entry
points of the group `kwdag.commands`: a name, and a click command in a module that is quickly imported.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kwdag.errors import KwdagError
from kwdag.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMANDS = {
    "schedule": "Expand a matrix over a pipeline and run every combination once.",
    "aggregate": "Rank the results of a run in one table.",
    "status": "Say in what state the jobs below a root are, and why.",
    "why": "Say why a job is in its state, and what the next run would do with it.",
    "logs": "Print what a job printed, or follow it.",
    "run": "Run one job again, in the foreground.",
    "failures": "Say in how many ways jobs failed, and with which parameters.",
    "diff": "Say in what two jobs differ.",
    "compare": "Say what changed between two runs, or between two rows or jobs.",
    "cancel": "End what runs below a root.",
    "clean": "Delete failed, stale or unwanted jobs; a dry run first.",
    "inspect": "Show the nodes, ports and parameters of a pipeline.",
    "export": "Write a pipeline's jobs as a CloudFormation template.",
    "demo": "Run a small grid from start to ranked table.",
    "completion": "Print the completion script of a shell.",
}

EPILOG = """\b
A first run:
  kwdag demo
  kwdag schedule --params=params.yaml --root_dpath=out        (says what would run)
  kwdag schedule --params=params.yaml --root_dpath=out --run=1
  kwdag aggregate --target=out"""


class LazyGroup(click.Group):
    """Knows its commands by name and help, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *_others()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            others = _others()
            return _loaded(others[cmd_name]) if cmd_name in others else None
        command: click.Command = importlib.import_module(f"kwdag.cli.{cmd_name}_cmd").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        others = _others()
        if others:
            with formatter.section("Commands of pipelines"):
                formatter.write_dl([(name, _short_help(found)) for name, found in others.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from kwdag.errors import did_you_mean

        if args and args[0] not in COMMANDS and not args[0].startswith("-") and args[0] not in _others():
            hint = did_you_mean(args[0], self.list_commands(ctx)) or "kwdag --help lists them"
            raise KwdagError(f"no command {args[0]!r}", hint=hint)
        return super().resolve_command(ctx, args)


def _others() -> dict[str, EntryPoint]:
    """The commands that other packages offer; kwdag's own names are not for them."""
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group="kwdag.commands")}
    return {name: found[name] for name in sorted(found.keys() - COMMANDS.keys())}


def _loaded(point: EntryPoint) -> click.Command:
    """Raises KwdagError: a package that is half installed must not end in a traceback."""
    try:
        command = point.load()
    except (ImportError, AttributeError) as error:
        raise KwdagError(f"command {point.name!r} cannot be loaded: {error}", where=point.value) from None
    if not isinstance(command, click.Command):
        raise KwdagError(f"command {point.name!r} is no click command", where=point.value)
    return command


def _short_help(point: EntryPoint) -> str:
    try:
        return _loaded(point).get_short_help_str(limit=100)
    except KwdagError as error:
        return str(error)


@click.command(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@click.version_option(__version__, prog_name="kwdag")
def cli() -> None:
    """Run a grid of parameters over a pipeline of programs, each combination once, and rank the results."""


def main(argv: list[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 all is well, 1 jobs failed, 2 bad input, 3 results were skipped."""
    try:
        code = cli.main(argv, prog_name="kwdag", standalone_mode=False)
    except KwdagError as error:
        code = _complain(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = 2
    except click.UsageError as error:
        code = _complain(_usage(error), 2)
    except (KeyboardInterrupt, click.Abort):
        code = 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except OSError as error:
        code = _complain(f"{error.filename or 'output'}: {error.strerror or error}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str, code: int) -> int:
    click.echo(f"kwdag: {text}", err=True)
    return code


def _usage(error: click.UsageError) -> str:
    """Click's complaint on one line, with the nearest option."""
    text = " ".join(error.format_message().split()).rstrip(".")
    text = text[:1].lower() + text[1:].replace(". Did you mean", "; did you mean")
    text = re.sub(r"\. \(Did you mean one of: (.*)\)$", r"; did you mean one of \1", text)
    if isinstance(error, click.NoSuchOption) and error.option_name.startswith("--enable_"):
        text += "; a node is switched off in the params, by `<node>.__enabled__: 0`"
    command = error.ctx.command_path.partition(" ")[2] if error.ctx else ""
    return f"{command}: {text}" if command else text

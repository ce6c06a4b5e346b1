"""`kwdag completion`: the script that teaches a shell kwdag's commands and options."""

from __future__ import annotations

import click

from kwdag.cli.options import Command


@click.command(cls=Command, name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example, for bash:
      kwdag completion bash >> ~/.bashrc
    """
    from click.shell_completion import get_completion_class

    from kwdag.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "kwdag", "_KWDAG_COMPLETE").source())

"""`kwdag registry`: names for folders, so that scripts need not know where a machine keeps its data.

Parses and prints; entries and their file stand in registry_file.py.
"""

from __future__ import annotations

import json as json_format
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipelines.errors import BadInput
from pipelines.geowatch import registry_file
from pipelines.geowatch.registry_file import HARDWARE, Entry, Wish

EPILOG = """\b
Example:
  kwdag registry add --name=my_expt --path=~/smart_expt_dvc --hardware=hdd --priority=100 --tags=phase2_expt
  cd "$(kwdag registry --tags=phase2_expt)"

The file is $XDG_CONFIG_HOME/kwdag/registry.json, else ~/.config/kwdag/registry.json."""

SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 110,
    "token_normalize_func": lambda token: token.replace("-", "_"),
}


class Tags(click.ParamType):
    """Words with commas between them."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if isinstance(value, tuple) else tuple(filter(None, map(str.strip, value.split(","))))


class FolderPath(click.ParamType):
    """A folder on this or on another machine; kept absolute, on one line."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value or not value.isprintable():
            self.fail(f"{value!r} is not a path that fits on one line", param, ctx)
        return os.path.normpath(Path(value).expanduser().absolute())


class FindsByDefault(click.Group):
    """Takes `kwdag registry --tags=x` for `kwdag registry find --tags=x`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["find", *args]
        return super().parse_args(ctx, args)


@click.group(cls=FindsByDefault, name="registry", epilog=EPILOG, context_settings=SETTINGS)
def command() -> None:
    """Name folders once, and find them by name, tags or hardware (find is the default)."""


_name = click.option("--name", required=True, help="What the folder is called.")
_tags = click.option("--tags", type=Tags(), metavar="A,B", help="Words to find it by.")
_hardware = click.option("--hardware", type=click.Choice(HARDWARE), help="What the folder lies on.")
_priority = click.option("--priority", type=int, help="Of several that fit, the highest that exists wins.")


@command.command("list")
@click.option("--json", is_flag=True, help="Print the entries as JSON.")
def list_(json: bool) -> None:
    """Print every entry, the best first."""
    entries = registry_file.read(registry_file.path())
    if json:
        rows = [{**asdict(one), "exists": one.exists} for one in entries]
        click.echo(
            json_format.dumps({"schema": "kwdag.registry.list", "version": 1, "entries": rows}, indent=1)
        )
    elif entries:
        click.echo("\n".join(_lines(entries)))
    else:
        click.echo("nothing is registered; kwdag registry add makes an entry", err=True)


def _lines(entries: list[Entry]) -> list[str]:
    """Columns under their names; the path stands last and is never cut, however narrow the terminal."""
    head = ("name", "exists", "hardware", "priority", "tags", "path")
    rows = [
        (one.name, str(one.exists), one.hardware, str(one.priority), ",".join(one.tags) or "-", one.path)
        for one in entries
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)][:-1] + [0]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]


@command.command()
@click.option("--name", help="Only the entry of this name.")
@click.option("--tags", type=Tags(), default="", metavar="A,B", help="Only entries that have all of these.")
@click.option(
    "--hardware",
    type=click.Choice([*HARDWARE, "auto"]),
    help="Only such hardware; auto: an ssd rather than any other.",
)
def find(name: str | None, tags: tuple[str, ...], hardware: str | None) -> None:
    """Print one path: of the entries that fit and exist here, the one of highest priority."""
    entries = registry_file.read(registry_file.path())
    click.echo(registry_file.find(entries, Wish(name, hardware, tags)).path)


@command.command()
@_name
@click.option("--path", type=FolderPath(), required=True, help="The folder.")
@_hardware
@_priority
@_tags
def add(name: str, path: str, **values: Any) -> None:
    """Register a folder."""
    with registry_file.changing(registry_file.path()) as entries:
        if name in entries:
            hint = "kwdag registry set changes it"
            raise BadInput(f"{name!r} is taken by {entries[name].path}", "--name", hint)
        if not name.isprintable() or not name.strip():
            raise BadInput(f"{name!r} is not a name", "--name")
        entries[name] = registry_file.changed(Entry(name, path), **values)
    if not Path(path).is_dir():
        click.echo(f"{path} does not exist here yet", err=True)


@command.command("set")
@_name
@click.option("--path", type=FolderPath(), help="The folder.")
@_hardware
@_priority
@_tags
def set_(name: str, **values: Any) -> None:
    """Change what is given of an entry, and keep the rest."""
    if all(value is None for value in values.values()):
        raise BadInput("nothing to change", hint="give --path, --hardware, --priority or --tags")
    with registry_file.changing(registry_file.path()) as entries:
        entries[name] = registry_file.changed(registry_file.named(entries, name), **values)


@command.command()
@_name
def remove(name: str) -> None:
    """Forget an entry; its folder stays as it is."""
    with registry_file.changing(registry_file.path()) as entries:
        del entries[registry_file.named(entries, name).name]


if __name__ == "__main__":
    from pipelines.program import run

    run(command)

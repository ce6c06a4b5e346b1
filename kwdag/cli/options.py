"""Types and habits that the commands share: flags with values, YAML values, names with `-` or `_`.

Only what several commands need; an option of one command stands in its module.
"""

from __future__ import annotations

import json
from typing import Any

import click

from kwdag.errors import KwdagError

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", "none", "null"}


class FlagType(click.ParamType):
    """0 or 1 (also true, false, yes, no, on, off), and `auto` where the option has one."""

    name = "0|1"

    def __init__(self, auto: bool = False):
        self.auto = auto
        self.name = "0|1|auto" if auto else "0|1"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value).lower()
        if isinstance(value, bool):
            return value
        if self.auto and text == "auto":
            return "auto"
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        return self.fail(f"{value!r} is not {self.name}", param, ctx)


class YamlType(click.ParamType):
    """A value in YAML; text that is no mapping and no list stays as it is."""

    name = "yaml"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        from kwdag.yamlio import load_yaml

        return load_yaml(value, f"--{param.name}" if param else "option").data


YAML = YamlType()


def flag(name: str, default: Any, help: str, auto: bool = False) -> Any:
    """An option that takes 0 or 1, and stands for 1 when it is given bare."""
    return click.option(
        name,
        type=FlagType(auto),
        is_flag=False,
        flag_value="1",
        default=str(default),
        show_default=True,
        help=help,
    )


class Command(click.Command):
    """A command that takes `--no-x` for `--x=0`, and `-` for `_` in the names of options."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs["context_settings"] = {
            "token_normalize_func": lambda token: token.replace("-", "_"),
            "max_content_width": 110,
            "help_option_names": ["-h", "--help"],
        }
        super().__init__(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {str(p.name) for p in self.params if isinstance(p.type, FlagType)}
        return super().parse_args(ctx, [_negated(arg, flags) for arg in args])


def _negated(arg: str, flags: set[str]) -> str:
    name = arg[5:].replace("-", "_")
    return f"--{name}=0" if arg.startswith(("--no-", "--no_")) and name in flags else arg


def as_whole_number(name: str, value: Any, least: int) -> int | None:
    """A whole number from a YAML value, or None; raises KwdagError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise KwdagError(f"must be a whole number from {least} on, not {value!r}", where=f"--{name}")
    return value


def print_json(name: str, version: int, content: dict[str, Any]) -> None:
    """A report for programs: `{"schema": "kwdag.<name>", "version": ..., ...}`."""
    click.echo(json.dumps({"schema": f"kwdag.{name}", "version": version, **content}, indent=1, default=str))

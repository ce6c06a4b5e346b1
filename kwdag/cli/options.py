"""Types and habits that the commands share: flags with values, YAML values, names with `-` or `_`.

Only what several commands need; an option of one command stands in its module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import click

from kwdag.errors import KwdagError

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", "none", "null"}


class Whole(click.ParamType):
    """A whole number from ``least`` on."""

    name = "N"

    def __init__(self, least: int = 0):
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not text.isdecimal() or int(text) < self.least:
            self.fail(f"{text!r} is not a whole number from {self.least} on", param, ctx)
        return int(text)


class FlagType(click.ParamType):
    """0 or 1 (also true, false, yes, no, on, off), and `auto` where the option has one."""

    name = "0|1"

    def __init__(self, auto: bool = False):
        self.auto = auto
        self.name = "0|1|auto" if auto else "0|1"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name

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
    """A command that takes `--no-x` for `--x=0`, and `-` for `_` in the names of options.

    Args:
        groups: title -> names of options that stand together in the help; all others stand last.
    """

    def __init__(self, *args: Any, groups: Mapping[str, Sequence[str]] | None = None, **kwargs: Any):
        self.groups = groups or {}
        kwargs["context_settings"] = {
            "token_normalize_func": lambda token: token.replace("-", "_"),
            "max_content_width": 110,
            "help_option_names": ["-h", "--help"],
            **kwargs.get("context_settings", {}),
        }
        super().__init__(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {str(p.name) for p in self.params if isinstance(p.type, FlagType)}
        return super().parse_args(
            ctx, [_spelled_out(arg, after, flags) for arg, after in pairwise([*args, ""])]
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = {str(option.name): option.get_help_record(ctx) for option in options}
        sections = {title: [records.pop(name) for name in names] for title, names in self.groups.items()}
        sections["Other options" if sections else "Options"] = list(records.values())
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([row for row in rows if row is not None])


def _spelled_out(arg: str, after: str, flags: set[str]) -> str:
    """`--no-x` as `--x=0`; `--x` as `--x=1` unless a value of a flag comes after it, for it may be a path."""
    name = arg[2:].replace("-", "_")
    if arg.startswith("--") and name in flags and after.lower() not in {*_TRUE, *_FALSE, "auto"}:
        return f"--{name}=1"
    negated = name.removeprefix("no_")
    return f"--{negated}=0" if arg.startswith(("--no-", "--no_")) and negated in flags else arg


def as_names(name: str, value: Any) -> list[str] | None:
    """Names from a YAML value, one (perhaps several with commas) or a list; raises KwdagError."""
    if value is None:
        return None
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise KwdagError(f"must be a name or a list of names, not {value!r}", where=f"--{name}")
    return [one.strip() for one in names if one.strip()]


def as_mapping(name: str, value: Any) -> dict[str, Any]:
    """A mapping from a YAML value, empty for null; raises KwdagError."""
    if value is not None and not isinstance(value, dict):
        raise KwdagError(f"must be a mapping, not {value!r}", where=f"--{name}")
    return value or {}


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

"""From values to the words of a command line, byte for byte.

Pure text work: which values a job has is plan.py's business, running the command the backends'.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kwdag.errors import PipelineError, did_you_mean
from kwdag.node import ProcessNode

#: What a value looks like to the program: None is left out, a list is several words.
Token = str | tuple[str, ...] | None

# `{{` and `}}` are literal braces; `${VAR}` is the shell's.
_PLACEHOLDER = re.compile(r"\{\{|\}\}|(?<!\$)\{(\w[\w.-]*)\}")
# Words that bash treats specially, or that are no program: `exec` in front of them would fail.
_NOT_EXEC = frozenset(
    [
        "!",
        "[[",
        "{",
        "}",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "case",
        "cd",
        "command",
        "compgen",
        "complete",
        "compopt",
        "continue",
        "coproc",
        "declare",
        "dirs",
        "disown",
        "do",
        "done",
        "elif",
        "else",
        "enable",
        "esac",
        "eval",
        "exec",
        "exit",
        "export",
        "fc",
        "fg",
        "fi",
        "for",
        "function",
        "getopts",
        "hash",
        "help",
        "history",
        "if",
        "in",
        "jobs",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "pushd",
        "read",
        "readarray",
        "readonly",
        "return",
        "select",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "then",
        "time",
        "times",
        "trap",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "while",
        ".",
        ":",
    ]
)
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9_./@%+:,-]+(?: +[A-Za-z0-9_./@%+:,=-]+)*\Z")


def token(value: Any) -> Token:
    """The text by which a program gets a value: what identity is made of.

    >>> token(1), token("1"), token(1.0), token(True), token(None)
    ('1', '1', '1.0', 'True', None)
    >>> token([1, "a b"]), token({"a": [1]})
    (('1', 'a b'), '{"a": [1]}')
    """
    if value is None or type(value) is str:
        return value
    if isinstance(value, list | tuple):
        return tuple(_text(item) for item in value)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping | list | tuple) or value is None:
        # JSON is YAML on one line that a JSON reader understands, too.
        return json.dumps(value, ensure_ascii=False, default=str)
    return repr(value) if isinstance(value, bool | int | float) else str(value)


def flag_words(
    node: ProcessNode, name: str, value: Token, quote: Callable[[str], str] = shlex.quote
) -> list[str]:
    """The words that pass one named value to the node's program, quoted for bash."""
    if value is None:
        return []
    if name in node.flags and value in ("True", "False"):
        return [_dashed(node, name)] if value == "True" else []
    if isinstance(value, tuple):
        return [_dashed(node, name), *map(quote, value)]
    style = node.flag_style
    if style == "--key=value":
        return [f"--{name}={quote(value)}"]
    if style == "key=value":
        return [f"{name}={quote(value)}"]
    return [_dashed(node, name), quote(value)]


def _dashed(node: ProcessNode, name: str) -> str:
    return {"-key value": f"-{name}", "key=value": name}.get(node.flag_style, f"--{name}")


def argv(node: ProcessNode, values: Mapping[str, Token]) -> tuple[str, ...] | None:
    """The program and its arguments as they are, where no shell is needed to start it; else None."""
    if not can_exec(node):
        return None
    words = str(node.executable).split()
    return (*words, *(w for name, value in values.items() for w in flag_words(node, name, value, _as_is)))


def _as_is(text: str) -> str:
    return text


def command_words(node: ProcessNode, values: Mapping[str, Token]) -> list[str]:
    """The command line as groups of words, one group a line when it is shown."""
    flags = [" ".join(words) for name, value in values.items() if (words := flag_words(node, name, value))]
    if not node.command_template:
        return [str(node.executable), *flags]
    return [_fill(node, values)]


def _fill(node: ProcessNode, values: Mapping[str, Token]) -> str:
    template = str(node.command_template)
    named = set(_PLACEHOLDER.findall(template)) - {""}
    known = {"flags", "executable", *values, *node.in_paths, *node.algo_params, *node.perf_params}
    for name in named - known:
        raise PipelineError(
            f"command_template of node {node.name!r} names {name!r}, which the node does not have",
            hint=did_you_mean(name, known),
        )
    rest = [w for name, value in values.items() if name not in named for w in flag_words(node, name, value)]

    def word(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name == "flags":
            return " ".join(rest)
        if name == "executable":
            return str(node.executable)
        value = values.get(name)  # an optional input may have none
        return "" if value is None else quote_array([value] if isinstance(value, str) else value)

    return _PLACEHOLDER.sub(word, template).strip()


def can_exec(node: ProcessNode) -> bool:
    """Whether bash may replace itself by the program: it saves a process and lets signals reach it."""
    text = str(node.executable or "")
    if node.command_template or not _PLAIN_WORDS.match(text):
        return False
    return text.split(" ", 1)[0] not in _NOT_EXEC


def quote_array(items: Iterable[str]) -> str:
    """The items of a bash array."""
    return " ".join(map(shlex.quote, items))

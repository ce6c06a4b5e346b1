"""What the report says of parameters: which varied, which did not, and what each param_hashid stands for.

Text as Python would write it; which parameters count is the business of ranking.py and roles.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kwdag import ranking
from kwdag.report.labels import relative, short_labels
from kwdag.report.options import Options
from kwdag.roles import Roles, hashed_columns

if TYPE_CHECKING:
    import pandas as pd

MAX_VALUES = 24


def parameter_lines(
    table: pd.DataFrame, hashids: list[str], options: Options, roles: Roles, base: str | None, width: int
) -> Iterator[str]:
    """What varied, what did not, and the parameters of each of the ``hashids``.

    A text that does not fit into ``width`` loses its middle, and the folders that all values share.
    """
    basis = ranking.basis(table)
    short = _shortened(basis, base, width)

    def shown(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _display(value, base, short[name]) for name, value in values.items()}

    def looked_up(columns: list[str]) -> dict[str, dict[str, Any]]:
        return {hashid: shown(row) for hashid, row in ranking.lookup(table, columns, hashids).items()}

    hashed = hashed_columns(table, roles)
    varied = {name: _counts(values, base, short[name]) for name, values in basis.varied.items()}
    yield f"Varied Basis: = {_literal(varied)}"
    yield f"Constant Params: {_literal(shown(basis.constant))}"
    yield f"Varied Parameter LUT: {_literal(looked_up([name for name in hashed if name in basis.varied]))}"
    models = [name for name in hashed if name.removeprefix("params.") in roles.model]
    if options.print_models and models:
        yield f"Models: {_literal(looked_up(models))}"
    if any(short.values()):
        yield f"(texts of more than {_room(width)} characters are shortened; --json has them whole)"


def _room(width: int) -> int:
    return max(20, width - 30)


def _shortened(basis: ranking.Basis, base: str | None, width: int) -> dict[str, dict[str, str]]:
    """column -> text -> what stands for it, where any of the column's texts is too long."""
    columns = {name: [value for value, _ in values] for name, values in basis.varied.items()}
    columns |= {name: [value] for name, value in basis.constant.items()}
    found = {}
    for name, values in columns.items():
        texts = list(dict.fromkeys(text for value in values for text in _texts(_display(value, base, {}))))
        short = zip(texts, short_labels(texts, _room(width)), strict=True)
        found[name] = {text: label for text, label in short if text != label}
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _counts(values: Sequence[tuple[Any, int]], base: str | None, short: Mapping[str, str]) -> dict[Any, Any]:
    """repr of a value -> its number of rows, the rare ones summed up where there are many."""
    shown = {_Verbatim(repr(_display(value, base, short))): n for value, n in values[:MAX_VALUES]}
    rest = values[MAX_VALUES:]
    if rest:
        shown[_Verbatim(f"... {len(rest):,} more values")] = sum(n for _, n in rest)
    return shown


class _Verbatim(str):
    """Text that is printed without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _literal(value: Any, indent: str = "") -> str:
    """A mapping as Python would write it, one entry a line."""
    if not isinstance(value, dict) or not value:
        return repr(value)
    deeper = indent + "    "
    lines = [f"{deeper}{key!r}: {_literal(item, deeper)},\n" for key, item in value.items()]
    return "{\n" + "".join(lines) + indent + "}"


def _display(value: Any, base: str | None, short: Mapping[str, str]) -> Any:
    """A value as it is shown: paths relative to a folder, texts that are too long shortened."""
    return _replaced(relative(value, base), short)


def _replaced(value: Any, short: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_replaced(item, short) for item in value]
    if isinstance(value, Mapping):
        return {key: _replaced(item, short) for key, item in value.items()}
    return short.get(value, value) if isinstance(value, str) else value

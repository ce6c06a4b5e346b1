"""Conditions on the rows of a table, as a person writes them: a syntax tree is read, no code evaluated."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError, did_you_mean
from kwdag.metrics import scores

if TYPE_CHECKING:
    import pandas as pd


def rows_where(table: pd.DataFrame, query: str, base: str | None = None) -> pd.DataFrame:
    """The rows that a query such as ``params.fit.lr < 0.1 and region_id == 'a'`` is true of.

    Comparisons, arithmetic, `and`, `or`, `not` and `in` on columns; nothing is called. A column goes by its
    whole name, by what follows `params.` or `metrics.`, or, where that is unambiguous, by its last part;
    a name that Python cannot spell stands in backticks. A text is also compared as a path below ``base``.

    Raises:
        ResultError: the query is malformed, does more than that, or names no column.
    """
    try:
        mask = _Query(table, query, base).evaluate()
    except (TypeError, ValueError, SyntaxError, ArithmeticError, RecursionError, AttributeError) as error:
        raise ResultError(f"cannot evaluate {query!r}: {error}", where="query") from error
    if getattr(mask, "dtype", None) not in ("bool", "boolean"):
        raise ResultError(f"{query!r} is not a condition on rows", where="query")
    return table[mask.fillna(False).astype(bool)].reset_index(drop=True)


def columns_of(table: pd.DataFrame, query: str) -> list[str]:
    """The columns that a query speaks of. Raises ResultError where it names none of the table's."""
    try:
        found = _Query(table, query, None)
    except (SyntaxError, ValueError) as error:
        raise ResultError(f"cannot evaluate {query!r}: {error}", where="query") from error
    names = [ast.unparse(node) for node in _names(found.tree)]
    return [str(found.column(name).name) for name in names]


def _names(node: ast.AST) -> Iterator[ast.expr]:
    """The names and dotted names in an expression, the latter as a whole."""
    if isinstance(node, ast.Name | ast.Attribute):
        yield node
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)


_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Add: operator.add, ast.Sub: operator.sub,
    ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Mod: operator.mod, ast.And: operator.and_,
    ast.Or: operator.or_, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.Not: operator.invert,
    ast.Invert: operator.invert, ast.USub: operator.neg,
}  # fmt: skip


class _Query:
    """Walks the syntax tree of a query; what it does not know it refuses."""

    def __init__(self, table: pd.DataFrame, query: str, base: str | None):
        self.table = table
        self.base = base
        self.quoted: list[str] = []
        self.tree = ast.parse(re.sub("`([^`]+)`", self._unquote, query).strip(), mode="eval").body

    def _unquote(self, match: re.Match[str]) -> str:
        self.quoted.append(match[1])
        return f"__quoted_{len(self.quoted) - 1}"

    def evaluate(self) -> Any:
        return self.value(self.tree)

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return [self.value(item) for item in node.elts]
        if isinstance(node, ast.Name | ast.Attribute):
            return self.column(ast.unparse(node))
        if isinstance(node, ast.BoolOp):
            return reduce(_OPERATORS[type(node.op)], map(self.value, node.values))
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            left, right = self.value(node.left), self.value(node.right)
            if not isinstance(left, str | list) and not isinstance(right, str | list):
                return _OPERATORS[type(node.op)](left, right)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](self.value(node.operand))
        raise ResultError(f"{ast.unparse(node)!r} is more than a condition on columns", where="query")

    def comparison(self, node: ast.Compare) -> Any:
        values = [self.value(side) for side in (node.left, *node.comparators)]
        pairs = zip(node.ops, values, values[1:], strict=False)
        return reduce(operator.and_, (self.compare(op, left, right) for op, left, right in pairs))

    def compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        import pandas as pd

        if isinstance(op, ast.In | ast.NotIn | ast.Eq | ast.NotEq) and isinstance(right, str | list):
            right = right if isinstance(right, list) else [right]
            found = left.isin([form for item in right for form in self._forms(item)])
            return ~found if isinstance(op, ast.NotIn | ast.NotEq) else found
        if type(op) not in _OPERATORS:
            raise ResultError("a query compares with ==, !=, <, <=, >, >=, in and not in", where="query")
        if isinstance(left, pd.Series) and isinstance(right, int | float) and left.dtype == object:
            left = _as_numbers(left)
        return _OPERATORS[type(op)](left, right)

    def _forms(self, item: Any) -> list[Any]:
        return [item, str(PurePath(self.base, item))] if isinstance(item, str) and self.base else [item]

    def column(self, name: str) -> pd.Series:
        name = re.sub("__quoted_([0-9]+)", lambda match: self.quoted[int(match[1])], name)
        if name in self.table:
            return self.table[name]
        found = [column for column in map(str, self.table.columns) if column.endswith(f".{name}")]
        if len(found) == 1:
            return self.table[found[0]]
        if found:
            raise ResultError(f"{name!r} may be any of {', '.join(found)}", where="query")
        names = [*map(str, self.table.columns)]
        ends = {
            end for column in names for end in (column, column.partition(".")[2], column.rpartition(".")[2])
        }
        raise ResultError(f"no column {name!r}", where="query", hint=did_you_mean(name, filter(None, ends)))


def _as_numbers(column: pd.Series) -> pd.Series:
    """The numbers of a column of many kinds, NaN for the rest; raises TypeError where there are none."""
    import pandas as pd

    numbers = pd.Series(scores(column), index=column.index)
    if numbers.isna().all() and column.notna().any():
        raise TypeError("a column without numbers is compared with a number")
    return numbers

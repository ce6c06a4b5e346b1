"""What kwdagger's pipeline modules import besides the pipeline itself, under one name.

Change `kwdagger.aggregate_loader` and `kwdagger.utils` to this module; new code needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kwdag.loading import flatten, process_info

__all__ = ["DotDict", "new_process_context_parser", "util_dotdict"]


def new_process_context_parser(proc_item: Mapping[str, Any]) -> dict[str, Any]:
    """The nested `context`, `resolved_params`, `resources` and `machine` of a process item."""
    return process_info(proc_item)


class DotDict(dict[str, Any]):
    """A flat mapping with dotted keys.

    >>> DotDict.from_nested({"metrics": {"acc": 1}}).insert_prefix("evaluate", index=1)
    {'metrics.evaluate.acc': 1}
    """

    @classmethod
    def from_nested(cls, data: Mapping[str, Any]) -> DotDict:
        """Join the keys of nested mappings by dots."""
        return cls(flatten(data))

    def insert_prefix(self, prefix: str, index: int = 0) -> DotDict:
        """Insert a part into every key before its ``index``-th part."""
        parts = ((key.split("."), value) for key, value in self.items())
        return type(self)((".".join([*key[:index], prefix, *key[index:]]), value) for key, value in parts)


class util_dotdict:  # noqa: N801  (the name of the module that it stands for)
    """Stands for the module `kwdagger.utils.util_dotdict`."""

    DotDict = DotDict

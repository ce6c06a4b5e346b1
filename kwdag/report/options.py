"""The options of the report on a terminal, read and checked; text.py acts on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kwdag.errors import ResultError, did_you_mean


@dataclass(frozen=True, slots=True)
class Options:
    """What the report shows.

    Attributes:
        top_k: rows a region, None for all.
        per_group: rows that may share one model (parameters tagged `model`; without any, one param_hashid).
        macro_analysis: also rank what all regions measured, by the mean over them; or a list of regions.
        analyze: mean and best of the first primary metric for each value of each varied parameter.
        print_models: the models behind each hash, where parameters are tagged `model`.
        reference_region: show only what is among the top of this region; `final` is the last one.
        concise: leave out the metrics that are not for display, and the job ids.
        show_csv: each table a second time, as CSV.
    """

    top_k: int | None = 100
    per_group: int | None = None
    macro_analysis: bool | list[str] = False
    analyze: bool = False
    print_models: bool = True
    reference_region: str | None = None
    concise: bool = True
    show_csv: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any] | bool | None) -> Options:
        """Read a mapping of these names; numbers serve as booleans. Raises ResultError on any other."""
        if isinstance(spec, bool | None):
            return cls()
        if not isinstance(spec, Mapping):
            raise ResultError(f"a mapping of options is needed, not {spec!r}", where="stdout_report")
        known = {option.name for option in dataclasses.fields(cls)}
        for name in spec:
            if name not in known:
                raise ResultError(
                    f"no option {name!r}", where="stdout_report", hint=did_you_mean(str(name), known)
                )
        return cls(**{name: _option(name, value) for name, value in spec.items()})


def _option(name: str, value: Any) -> Any:
    if name in ("top_k", "per_group"):
        return _count(name, value)
    if name == "reference_region":
        if value is None or isinstance(value, str):
            return value
        raise _refused(name, "the name of a region or null", value)
    if name == "macro_analysis" and isinstance(value, list) and value:
        return [str(region) for region in value]
    if isinstance(value, int) or (name, value) == ("concise", "split"):
        return bool(value)
    raise _refused(name, "0, 1 or a list of regions" if name == "macro_analysis" else "0 or 1", value)


def _count(name: str, value: Any) -> int | None:
    if value is None or value == math.inf:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise _refused(name, "a whole number above 0 or null", value)


def _refused(name: str, wanted: str, value: Any) -> ResultError:
    return ResultError(f"{name} is {wanted}, not {value!r}", where="stdout_report")

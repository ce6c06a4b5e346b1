"""The classes of slicks, their ids and the colours of their annotation layers: the one table of them.

How layers are read stands in layers.py; what a model tells apart is a `Remap` of this table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput


@dataclass(frozen=True)
class SlickClass:
    """A class: its id is its place in `CLASSES`, its colour (red, green, blue) that of its layers."""

    name: str
    colour: tuple[int, int, int]


CLASSES = (
    SlickClass("background", (0, 255, 255)),
    SlickClass("infra_slick", (0, 0, 255)),
    SlickClass("natural_seep", (0, 255, 0)),
    SlickClass("coincident_vessel", (255, 0, 0)),
    SlickClass("recent_vessel", (255, 255, 0)),
    SlickClass("old_vessel", (255, 0, 255)),
    SlickClass("ambiguous", (255, 255, 255)),
)
BACKGROUND = CLASSES[0].name
NAMES = tuple(one.name for one in CLASSES)
IDS = {name: number for number, name in enumerate(NAMES)}
BY_COLOUR = {one.colour: one.name for one in CLASSES}

#: Classes that become others, or (None) are left out: the usual choice for training.
USUAL: Mapping[str, str | None] = {
    "old_vessel": "recent_vessel", "coincident_vessel": "recent_vessel", "ambiguous": None,
}  # fmt: skip


@dataclass(frozen=True)
class Remap:
    """What a model tells apart.

    Attributes:
        names: its classes, background first; their places are the numbers that it predicts.
        numbers: for each id of `CLASSES`, the number of its class in ``names``; of a class that is left out,
            that of background.
        dropped: classes that are left out.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    dropped: frozenset[str]


def remap(changes: Mapping[str, str | None]) -> Remap:
    """The classes that are left when some become others or (None) are left out.

    Raises:
        BadInput: a name that is none, or background is to change.

    >>> remap(USUAL).names
    ('background', 'infra_slick', 'natural_seep', 'recent_vessel')
    >>> remap(USUAL).numbers
    (0, 1, 2, 3, 3, 3, 0)
    """
    for name in (*changes, *(new for new in changes.values() if new is not None)):
        if name not in IDS:
            raise BadInput(f"no class {name!r}", where="remap", hint=did_you_mean(str(name), NAMES))
    if changes.get(BACKGROUND, BACKGROUND) != BACKGROUND:
        raise BadInput("background stays what it is", where="remap")
    final = {name: _followed(name, changes) for name in NAMES}
    kept = tuple(name for name in NAMES if name in final.values())
    numbers = tuple(kept.index(new) if (new := final[name]) is not None else 0 for name in NAMES)
    return Remap(kept, numbers, frozenset(name for name, new in final.items() if new is None))


def named(text: str) -> Remap:
    """The remap that an option asks for.

    Args:
        text: `none` (all classes as they are), `usual`, `slick` (all one class, named infra_slick), or pairs
            such as `old_vessel=recent_vessel,ambiguous=` (left out).

    Raises:
        BadInput: see `remap`; a part that is no pair.

    >>> named("slick").names
    ('background', 'infra_slick')
    >>> named("ambiguous=").dropped
    frozenset({'ambiguous'})
    """
    if text in ("none", ""):
        return remap({})
    if text == "usual":
        return remap(USUAL)
    if text == "slick":
        return remap({name: NAMES[1] for name in NAMES[2:]})
    changes: dict[str, str | None] = {}
    for part in text.split(","):
        old, equals, new = part.partition("=")
        if not equals:
            raise BadInput(f"{part!r} is not old=new", where="remap", hint="or none, usual, slick")
        changes[old.strip()] = new.strip() or None
    return remap(changes)


def _followed(name: str, changes: Mapping[str, str | None]) -> str | None:
    """What becomes of a class in the end, when changes follow on changes."""
    seen: Sequence[str] = ()
    found: str | None = name
    while found is not None and found in changes and changes[found] != found:
        if found in seen:
            raise BadInput(f"{name!r} changes in a circle", where="remap")
        seen = (*seen, found)
        found = changes[found]
    return found

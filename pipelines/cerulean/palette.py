"""Colours of the classes in pictures: told apart by colour-blind readers, and seen on dark water.

The colours of annotation layers stand in classes.py; they are no good for looking at.
"""

from __future__ import annotations

from pipelines.cerulean.classes import BACKGROUND, NAMES

Colour = tuple[int, int, int]
_GREY: Colour = (170, 170, 170)
#: Okabe and Ito's palette, in the order of the table of classes after background.
_OKABE_ITO: tuple[Colour, ...] = (
    (86, 180, 233), (0, 158, 115), (213, 94, 0), (230, 159, 0), (204, 121, 167), (240, 228, 66),
)  # fmt: skip
COLOURS: dict[str, Colour] = {
    BACKGROUND: _GREY,
    **dict(zip((name for name in NAMES if name != BACKGROUND), _OKABE_ITO, strict=True)),
}


def colour(name: str) -> Colour:
    """Red, green and blue of a class; grey for one that the table does not have."""
    return COLOURS.get(name, _GREY)


def hexadecimal(name: str) -> str:
    """The same as plots want it.

    >>> hexadecimal("background")
    '#aaaaaa'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour(name))

"""Colours of the classes in pictures: told apart by colour-blind readers, and seen on dark water.

The colours of annotation layers stand in classes.py; they are no good for looking at.
"""

from __future__ import annotations

from pipelines.cerulean.classes import BACKGROUND, NAMES

Colour = tuple[int, int, int]
_GREY: Colour = (170, 170, 170)
# The palette of Okabe and Ito (2008).
_SKY, _GREEN, _VERMILION, _ORANGE = (86, 180, 233), (0, 158, 115), (213, 94, 0), (230, 159, 0)
_PURPLE, _YELLOW, _BLUE = (204, 121, 167), (240, 228, 66), (0, 114, 178)
_OF_CLASSES = (_SKY, _GREEN, _VERMILION, _ORANGE, _PURPLE, _YELLOW)  # in the order of their table
COLOURS: dict[str, Colour] = {
    BACKGROUND: _GREY,
    **dict(zip((name for name in NAMES if name != BACKGROUND), _OF_CLASSES, strict=True)),
}
#: For what is no class, such as several datasets in one plot.
SHADES: tuple[Colour, ...] = (_BLUE, _ORANGE, _GREEN, _PURPLE, _SKY, _VERMILION)


def colour(name: str) -> Colour:
    """Red, green and blue of a class; grey for one that the table does not have."""
    return COLOURS.get(name, _GREY)


def hexadecimal(shade: Colour) -> str:
    """A colour as plots want it.

    >>> hexadecimal(colour("background"))
    '#aaaaaa'
    """
    return "#{:02x}{:02x}{:02x}".format(*shade)

"""Names and values as text in a picture or a page: clean, short, distinct, and safe as file names.

Text only; where a label is drawn is the pictures' business.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "(none)"
_SAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST_NAME = 120


def clean(text: Any) -> str:
    """One line that any writer can encode: no control characters, no half of a surrogate pair."""
    line = " ".join(str(text).split())
    line = "".join(
        c if unicodedata.category(c)[0] != "C" or c in "\u200d\u200c" else _escaped(c) for c in line
    )
    return line.encode("utf-8", "backslashreplace").decode()


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def value_text(value: Any, base: str | None = None) -> str:
    """A parameter's value as a reader knows it; absolute paths below ``base`` as seen from there."""
    return MISSING if value is None else clean(relative(value, base))


def relative(value: Any, base: str | None) -> Any:
    """A value whose absolute paths below the folder ``base`` are as seen from there, any other unchanged."""
    if isinstance(value, str):
        prefix = base.rstrip(os.sep) + os.sep if base else ""
        inside = prefix and value.startswith(prefix) and len(value) > len(prefix)
        return value[len(prefix) :] if inside else value
    if isinstance(value, list | tuple):
        return [relative(item, base) for item in value]
    if isinstance(value, Mapping):
        return {key: relative(item, base) for key, item in value.items()}
    return value


def plural(word: str, count: int) -> str:
    """The word, with an s unless there is one of it."""
    return word if count == 1 else f"{word}s"


def shortened(text: str, width: int) -> str:
    """The text with its middle left out where it is longer than ``width``; the end keeps a little more.

    >>> shortened("/data/experiments/2024/model-seven.pt", 20)
    '/data/e…el-seven.pt'
    """
    if len(text) <= width:
        return text
    head = max(1, (width - 1) * 2 // 5)
    return text[:head] + "…" + text[len(text) - (width - 2 - head) :]


def short_labels(texts: Sequence[str], width: int) -> list[str]:
    """Distinct labels of about ``width`` characters for distinct texts.

    Long texts lose the folders that all of them share, then their middle; those that then look the same get a
    number.

    >>> short_labels(["/data/all/of/us/a.pt", "/data/all/of/us/b.pt"], 10)
    ['…/a.pt', '…/b.pt']
    """
    if all(len(text) <= width for text in texts):
        return list(texts)
    shared = _shared_folder(texts)
    labels = [shortened(f"…/{text[len(shared) :]}" if shared else text, width) for text in texts]
    seen: dict[str, int] = {}
    for i, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        if labels.count(label) > 1 or seen[label] > 1:
            labels[i] = f"{label} ({seen[label]})"
    return labels


def _shared_folder(texts: Sequence[str]) -> str:
    """The folders that all the paths start with, ending in a slash; nothing for a single text."""
    if len(texts) < 2:
        return ""
    prefix = os.path.commonprefix(list(texts))
    return prefix[: prefix.rfind("/") + 1]


def last_parts(names: Sequence[str]) -> list[str]:
    """What follows the last dot of each name, where that is enough to tell them apart.

    >>> last_parts(["predict.param1", "evaluate.src", "predict.src"])
    ['param1', 'evaluate.src', 'predict.src']
    """
    tails = [name.rpartition(".")[2] for name in names]
    return [
        tail if tail and tails.count(tail) == 1 else name for name, tail in zip(names, tails, strict=True)
    ]


def safe_name(*parts: str) -> str:
    """A file name of ASCII for these parts; what had to be left out of it enters as a hash.

    >>> safe_name("param", "fit.lr", "acc")
    'param_fit.lr_acc'
    """
    plain = "_".join(parts)
    safe = _SAFE.sub("-", plain).strip(".-")
    if safe and safe == plain and len(safe) <= _LONGEST_NAME:
        return safe
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe[:_LONGEST_NAME]}-{digest}".lstrip("-")


def duration(seconds: float) -> str:
    """A span of time for a person.

    >>> [duration(s) for s in (0.25, 7.5, 90, 7260, 200000)]
    ['0.25 s', '7.5 s', '1 min 30 s', '2 h 1 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for (name, size), (lower, part) in zip(units, units[1:], strict=False):
        if seconds >= size:
            rest = int(seconds % size // part)
            return f"{int(seconds // size)} {name}" + (f" {rest} {lower}" if rest else "")
    return f"{seconds:.0f} s"


def amount(size: float) -> str:
    """Bytes for a person, powers of 1024.

    >>> [amount(b) for b in (512, 1536, 3 * 2**30)]
    ['512 B', '1.5 KiB', '3 GiB']
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB"

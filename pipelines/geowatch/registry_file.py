"""The per-user list of named folders: what an entry is, how one is found, and the file that holds them.

The commands stand in registry.py. One writer at a time: a lock file beside it; readers need none.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from kwdag.errors import did_you_mean
from pipelines.errors import BadInput

HARDWARE = ("ssd", "hdd")
SCHEMA = "kwdag.registry"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder that somebody named.

    Attributes:
        path: absolute; it need not exist on this machine.
        priority: of several that fit, the highest wins.
    """

    name: str
    path: str
    hardware: str = "hdd"
    priority: int = 0
    tags: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        return Path(self.path).is_dir()


@dataclass(frozen=True, slots=True)
class Wish:
    """What an entry must be to be found; ``hardware`` may be `auto`: an ssd rather than any other."""

    name: str | None = None
    hardware: str | None = None
    tags: tuple[str, ...] = ()

    def fits(self, entry: Entry) -> bool:
        return (
            self.name in (None, entry.name)
            and self.hardware in (None, "auto", entry.hardware)
            and set(self.tags) <= set(entry.tags)
        )

    def __str__(self) -> str:
        said = {"name": self.name, "hardware": self.hardware, "tags": ",".join(self.tags)}
        return " ".join(f"--{key}={value}" for key, value in said.items() if value) or "any entry"


def path() -> Path:
    """Where the registry of this user lies: below XDG_CONFIG_HOME, else `~/.config`."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # the XDG specification tells programs to ignore a relative one
    folder = base if base.is_absolute() else Path.home() / ".config"
    return folder / "kwdag" / "registry.json"


def read(file: Path) -> list[Entry]:
    """All entries, best first; none without a file. Raises BadInput for a damaged file."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=file) from None
    except ValueError:
        raise BadInput("is damaged: not JSON", where=file, hint="mend or delete it") from None
    if (
        not isinstance(data, dict)
        or data.get("schema") != SCHEMA
        or not isinstance(data.get("entries"), list)
    ):
        raise BadInput("is damaged: no registry", where=file, hint="mend or delete it")
    if data.get("version") != VERSION:
        raise BadInput(f"has version {data.get('version')!r}; this kwdag knows {VERSION}", where=file)
    return ranked(_entry(one, file) for one in data["entries"])


def _entry(one: Any, file: Path) -> Entry:
    known = {field.name for field in fields(Entry)}
    if not isinstance(one, dict) or set(one) != known or not isinstance(one["tags"], list):
        raise BadInput(f"is damaged: not an entry: {one!r}", where=file, hint="mend or delete it")
    texts = [one["name"], one["path"], one["hardware"], *one["tags"]]
    if not all(isinstance(text, str) for text in texts) or type(one["priority"]) is not int:
        raise BadInput(f"is damaged: not an entry: {one!r}", where=file, hint="mend or delete it")
    return Entry(**{**one, "tags": tuple(one["tags"])})


def ranked(entries: Iterable[Entry], hardware: str | None = None) -> list[Entry]:
    """Best first: with `auto` an ssd before all others, then by priority, then by name."""
    return sorted(
        entries, key=lambda one: (hardware == "auto" and one.hardware != "ssd", -one.priority, one.name)
    )


def find(entries: Iterable[Entry], wish: Wish) -> Entry:
    """The best entry that fits and whose folder exists. Raises BadInput when there is none."""
    entries = list(entries)
    fitting = ranked(filter(wish.fits, entries), wish.hardware)
    for entry in fitting:
        if entry.exists:
            return entry
    if fitting:
        missing = ", ".join(one.path for one in fitting)
        raise BadInput(f"no folder of {wish} exists here: {missing}")
    hint = None
    if wish.name is not None:
        hint = did_you_mean(wish.name, {one.name for one in entries})
    elif wish.tags:
        hint = did_you_mean(wish.tags[0], {tag for one in entries for tag in one.tags})
    raise BadInput(f"nothing is registered for {wish}", hint=hint or "kwdag registry add makes an entry")


@contextlib.contextmanager
def changing(file: Path) -> Iterator[dict[str, Entry]]:
    """The entries by name, to be changed inside the block; written when it ends well, one writer at a time.

    Raises:
        BadInput: the file is damaged or cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = {one.name: one for one in read(file)}
            yield entries
            _write(file, ranked(entries.values()))
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror})", where=error.filename or file) from None


def _write(file: Path, entries: Iterable[Entry]) -> None:
    data = {"schema": SCHEMA, "version": VERSION, "entries": [asdict(one) for one in entries]}
    # a registry may be a link into a folder of dotfiles: the link stays, its target is replaced
    target = Path(os.path.realpath(file))
    draft = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        draft.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def named(entries: dict[str, Entry], name: str) -> Entry:
    """The entry of a name. Raises BadInput when there is none."""
    if name not in entries:
        raise BadInput(f"nothing is registered as {name!r}", where="--name", hint=did_you_mean(name, entries))
    return entries[name]


def changed(entry: Entry, **values: Any) -> Entry:
    """The entry with the values that are not None."""
    return replace(entry, **{key: value for key, value in values.items() if value is not None})

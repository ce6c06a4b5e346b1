"""The one module that knows the file names inside a job directory and below `_kwdag`.

It reads and writes those files; what they mean for a job is state.py's business.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from kwdag import regular
from kwdag.errors import KwdagError

INVOKE = "invoke.sh"
CONFIG = "job_config.json"
STATUS = "job_status.json"
LOG = "job.log"
LOCK = ".lock"
CLAIM = ".claim-"
DRAFT = ".draft-"
PREVIOUS = ".previous"
PRED, SUCC = ".pred", ".succ"
GATHER = "_gather"
RUN_DPATH = "_kwdag"
PIPELINE_RECORD = "pipeline.json"

#: Names that a declared output must not take.
BOOKKEEPING = frozenset({INVOKE, CONFIG, STATUS, LOG, LOCK, PREVIOUS, PRED, SUCC, GATHER})
SCHEMA = 1
#: What to do when the disk has refused.
LATER = "nothing is lost: mend it and run the same command again"


class DamagedFile(KwdagError):
    """A file of kwdag's own that is cut or is not what it should be."""

    exit_code = 1


class WriteError(KwdagError):
    """The disk refused: the run stops, and the same command resumes it."""

    exit_code = 1


def writing(path: str, error: OSError) -> WriteError:
    """The error for a write that failed."""
    found = error.filename if isinstance(error.filename, str) else path
    return WriteError(f"cannot write {found}: {error.strerror or error}", hint=LATER)


def read_json(path: str) -> Any:
    """The content of a JSON file, or None when there is no such file.

    Raises:
        DamagedFile: the file is there and is not JSON.
    """
    content = _read(path)
    return None if content is None else _parse(path, content)


def _read(path: str) -> bytes | None:
    try:
        return regular.read(path)[0]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except regular.NotRegular as error:
        raise DamagedFile(f"is damaged: it {error.strerror}", where=path) from None


def _parse(path: str, content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise DamagedFile("is damaged: not JSON", where=path) from None
    except RecursionError:
        raise DamagedFile("is damaged: nested too deep", where=path) from None


def _parse_mapping(path: str, content: bytes) -> dict[str, Any]:
    data = _parse(path, content)
    if not isinstance(data, dict):
        raise DamagedFile("is damaged: not a mapping", where=path)
    return data


def _read_mapping(path: str) -> dict[str, Any] | None:
    content = _read(path)
    return None if content is None else _parse_mapping(path, content)


def read_status(dpath: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What `job_status.json` says, None without one; raises DamagedFile."""
    path = f"{os.fspath(dpath)}/{STATUS}"
    content = _read(path)
    return None if content is None else parse_status(path, content)


def parse_status(path: str, content: bytes) -> dict[str, Any]:
    """What the bytes of a `job_status.json` say; raises DamagedFile."""
    status = _parse_mapping(path, content)
    if not isinstance(status.get("state"), str):
        raise DamagedFile("is damaged: it names no state", where=path)
    return status


def read_config(dpath: str | os.PathLike[str]) -> dict[str, Any]:
    """The dotted parameters of a job and its ancestors; raises DamagedFile, also when it is missing."""
    path = f"{os.fspath(dpath)}/{CONFIG}"
    content = _read(path)
    if content is None:
        raise DamagedFile("is missing", where=path)
    return parse_config(path, content)


def parse_config(path: str, content: bytes) -> dict[str, Any]:
    """What the bytes of a `job_config.json` say; raises DamagedFile."""
    return _parse_mapping(path, content)


def as_json(data: Any, indent: int | None = None) -> str:
    """JSON text as people read it; a path that is no UTF-8 is escaped, so that any reader can load it."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(data, indent=indent)
    return text + "\n"


def write_replacing(path: str, text: str, *, shared: bool = False) -> None:
    """Write a file so that every reader sees the old or the new content, never a part.

    Args:
        shared: other processes may write it at the same time; else only the holder of the job's claim.
    """
    part = f"{path}.{os.getpid()}.part" if shared else f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.rename(part, path)
    except OSError as error:
        _forget(part)
        raise writing(path, error) from None


def write_plain(path: str, text: str) -> None:
    """Write a file that nobody reads before the job is done."""
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        raise writing(path, error) from None


def _forget(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def make_dir(path: str) -> None:
    """Make a directory and its parents."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise writing(path, error) from None


def set_aside(dpath: str, outputs: Iterable[str]) -> None:
    """Move what an earlier attempt left into `.previous`, replacing what lay there.

    Args:
        outputs: declared output paths below the job directory; `.` stands for all that is not kwdag's own.
    """
    names = [STATUS, LOG]
    for output in outputs:
        inside = os.path.normpath(output)
        names += _own_files(dpath) if inside == "." else [inside]
    found = [name for name in dict.fromkeys(names) if os.path.lexists(f"{dpath}/{name}")]
    # What lies in a folder that is declared, too, moves with the folder.
    found = [name for name in found if not any(name.startswith(f"{other}/") for other in found)]
    if not found:
        return
    previous = f"{dpath}/{PREVIOUS}"
    try:
        # The status goes first: from then on nothing that is half moved can count as done.
        if os.path.lexists(previous):
            shutil.rmtree(previous)
        for name in found:
            os.makedirs(os.path.dirname(f"{previous}/{name}"), exist_ok=True)
            os.rename(f"{dpath}/{name}", f"{previous}/{name}")
    except OSError as error:
        raise writing(previous, error) from None


def _own_files(dpath: str) -> list[str]:
    return [n for n in os.listdir(dpath) if n not in BOOKKEEPING and not n.startswith((CLAIM, DRAFT, STATUS))]


def link_jobs(root: str, downstream: tuple[str, str], upstream: Iterable[tuple[str, str]]) -> None:
    """Link a job directory to those it reads from, and back; both given as (node, job id)."""
    for up in upstream:
        _link(root, downstream, PRED, up)
        _link(root, up, SUCC, downstream)


def _link(root: str, owner: tuple[str, str], kind: str, target: tuple[str, str]) -> None:
    folder = f"{root}/{owner[0]}/{owner[1]}/{kind}/{target[0]}"
    try:
        os.symlink(f"../../../../{target[0]}/{target[1]}", f"{folder}/{target[1]}")
    except FileExistsError:
        return
    except FileNotFoundError:
        make_dir(folder)
        _link(root, owner, kind, target)
    except OSError as error:  # it names the target, which is relative
        raise writing(f"{folder}/{target[1]}", OSError(error.errno, error.strerror)) from None


def write_manifest(dpath: str, port: str, members: Iterable[Mapping[str, Any]]) -> None:
    """Write the gathered paths: a line each as text, and with each member's keys as JSON."""
    folder = f"{dpath}/{GATHER}"
    make_dir(folder)
    members = list(members)
    # A cut list would look like a shorter one to a job that is run by hand.
    write_replacing(f"{folder}/{port}.txt", "".join(f"{member['path']}\n" for member in members))
    write_replacing(f"{folder}/{port}.json", as_json({"schema": SCHEMA, "members": members}))


def inside(dpath: str, path: str) -> str:
    """A path that a job recorded as an absolute one: relative ones start from the job directory."""
    return os.path.normpath(os.path.join(dpath, path))


def manifest_path(dpath: str, port: str) -> str:
    return f"{dpath}/{GATHER}/{port}.txt"


def write_pipeline_record(root: str, record: Mapping[str, Any]) -> None:
    """Say which pipeline ran last below this root, so that `aggregate` need not be told."""
    make_dir(f"{root}/{RUN_DPATH}")
    path = f"{root}/{RUN_DPATH}/{PIPELINE_RECORD}"
    write_replacing(path, as_json({"schema": SCHEMA, **record}, indent=1), shared=True)


def read_pipeline_record(root: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What ``write_pipeline_record`` wrote last, or None."""
    return _read_mapping(f"{os.fspath(root)}/{RUN_DPATH}/{PIPELINE_RECORD}")


def iter_jobs(root: str | os.PathLike[str]) -> Iterator[tuple[str, str, str]]:
    """Every job directory below a root: (node, job id, path), in the order of their names."""
    root = os.fspath(root)
    for node in sorted(_folders(root)):
        if node != RUN_DPATH:
            prefix = f"{node}_id_"
            for name in sorted(_folders(f"{root}/{node}")):
                if name.startswith(prefix):
                    yield node, name, f"{root}/{node}/{name}"


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def tail(path: str, lines: int = 5) -> list[str]:
    """The last lines of a log; an unreadable one has none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]

"""Where images, annotations and models lie: a directory, or a bucket of S3, through fsspec.

Which keys mean what does not belong here, nor where the storage is (settings.py).
"""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid4, uuid5

from pipelines.errors import BadInput

UPLOADING = ".uploading"  # a folder of the storage; what is under way, and hidden from `list`
BLOCK = 1 << 20


class Missing(BadInput):
    """The storage has no such key."""


@dataclass(frozen=True)
class Storage:
    """Files by key, such as `imagesets/<uuid>/images/a b(1).JPG`; for threads, forks and pickles, too.

    Args:
        base: a directory (made when first written to), or `s3://bucket/prefix`; credentials and endpoint of
            S3 are those of the environment (AWS_*).

    Every method raises BadInput if the storage cannot be reached or refuses.
    """

    base: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        if parts.scheme not in ("", "file", "s3"):
            raise BadInput(
                f"{parts.scheme}:// is not supported", where="storage", hint="s3:// or a directory"
            )
        if parts.scheme == "s3" and (not parts.netloc or "@" in parts.netloc):
            raise BadInput("is not s3://bucket/prefix", where="storage", hint="credentials go into AWS_*")

    @property
    def bucket(self) -> str:
        """The name of the bucket, or of the directory: what {STORAGE_BUCKET} stands for."""
        return urlsplit(self.base).netloc or posixpath.basename(self._root)

    def url(self, key: str) -> str:
        """The address of a key: `s3://bucket/prefix/key`, or an absolute path."""
        return f"s3://{self._path(key)}" if self._on_s3 else self._path(key)

    def read(self, key: str) -> bytes:
        """All bytes of a key. Raises Missing."""
        with self._told(key):
            return bytes(self._files.cat_file(self._path(key)))

    @contextlib.contextmanager
    def open(self, key: str) -> Iterator[IO[bytes]]:
        """A key, to be read from. Raises Missing."""
        with self._told(key):
            opened = self._files.open(self._path(key), "rb")
        with opened as file:  # what goes wrong with its content is the reader's
            yield file

    def exists(self, key: str) -> bool:
        with self._told(key):
            return bool(self._files.isfile(self._path(key)))

    def list(self, prefix: str = "") -> builtins.list[str]:
        """All keys below the folder ``prefix``, sorted; none if there is no such folder."""
        with self._told(prefix):
            found = self._files.find(self._path(prefix) if prefix else self._root)
        keys = (posixpath.relpath(path, self._root) for path in found)
        return sorted(key for key in keys if not key.startswith(f"{UPLOADING}/"))

    def put(self, key: str, path: str | os.PathLike[str]) -> bool:
        """Upload a file, unless the key already holds the same bytes; whether it had to be.

        The bytes go to a temporary key, are compared, and only then take their place: a reader sees what
        was there before or the whole file. A run that was killed leaves a temporary key, which `sweep`
        removes. Several programs may put the same file at once.

        Raises:
            BadInput: ``path`` cannot be read, or what arrived is not what was sent.
        """
        path = Path(path)
        sent = _digests_of(path)
        place, temporary = self._path(key), f"{self._temporary(key)}.{uuid4().hex}"
        with self._told(key):
            if self._holds(place, sent):
                return False
            self._files.put_file(str(path), temporary)
            if self._holds(temporary, sent):
                with contextlib.suppress(FileNotFoundError):  # swept by another in this moment
                    self._move(temporary, place)
                    return True
            if self._files.exists(temporary):
                self._files.rm_file(temporary)
            if not self._holds(place, sent):  # another's `sweep`, which follows its own `put`
                raise BadInput("did not arrive as it was sent", where=self.url(key), hint="try again")
        return False

    def remove(self, key: str) -> None:
        """Remove a key, unless another program has done so."""
        with self._told(key), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(key))

    def sweep(self, keys: Iterable[str]) -> int:
        """Remove what killed uploads of ``keys`` left; how many. For when all of them are in place."""
        with self._told(UPLOADING):
            there = self._files.find(posixpath.join(self._root, UPLOADING))
            ours = {self._temporary(key) for key in keys} if there else set()
            left = [path for path in sorted(there) if path.rpartition(".")[0] in ours]
            for path in left:
                with contextlib.suppress(FileNotFoundError):  # its own program has moved it meanwhile
                    self._files.rm_file(path)
        return len(left)

    def _holds(self, path: str, digests: tuple[int, str, str]) -> bool:
        """Whether ``path`` has these bytes; they are read back where S3 does not tell their MD5."""
        try:
            info = self._files.info(path)
        except FileNotFoundError:
            return False
        size, md5, sha = digests
        if info["type"] != "file" or info["size"] != size:
            return False
        if str(info.get("ETag", "")).strip('"') == md5:  # not with KMS, nor for an upload in parts
            return True
        with self._files.open(path, "rb") as file:
            return _digests(file)[2] == sha

    def _move(self, temporary: str, place: str) -> None:
        if self._on_s3:  # the copy appears at once, or not at all
            self._files.cp_file(temporary, place)
            self._files.rm_file(temporary)
        else:
            self._files.makedirs(posixpath.dirname(place), exist_ok=True)
            os.replace(temporary, place)  # noqa: PTH105

    @property
    def _on_s3(self) -> bool:
        return urlsplit(self.base).scheme == "s3"

    @property
    def _root(self) -> str:
        if self._on_s3:
            return self.base.removeprefix("s3://").rstrip("/")
        return os.path.abspath(self.base.removeprefix("file://"))  # noqa: PTH100

    @property
    def _files(self) -> Any:
        """fsspec's object: cached by it per process and thread, so none is kept here."""
        import fsspec

        if self._on_s3:
            return fsspec.filesystem("s3", use_listings_cache=False)
        return fsspec.filesystem("file", auto_mkdir=True)

    def _path(self, key: str) -> str:
        if not key or key != posixpath.normpath(key) or key.startswith(("/", "../")) or key in (".", ".."):
            raise BadInput(f"{key!r} is no key of a storage", where="storage")
        return posixpath.join(self._root, key)

    def _temporary(self, key: str) -> str:
        return posixpath.join(self._root, UPLOADING, str(uuid5(NAMESPACE_URL, self._path(key))))

    @contextlib.contextmanager
    def _told(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if _code_of(error) == "NoSuchBucket":  # not that of a file: all are missing
                raise BadInput("there is no such bucket", where=self.base) from None
            raise Missing("no such file in the storage", where=self.base + "/" + key) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BadInput(f"the storage refuses ({reason})", where=self.base) from None
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("botocore", "aiobotocore", "aiohttp"):
                raise
            raise BadInput(
                f"the storage cannot be reached ({type(error).__name__})", where=self.base, hint="see AWS_*"
            ) from None


def _code_of(error: Exception) -> str:
    """What S3 itself calls what s3fs has translated to an OSError."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _digests_of(path: Path) -> tuple[int, str, str]:
    try:
        with path.open("rb") as file:
            return _digests(file)
    except OSError as error:
        raise BadInput(f"cannot be read ({error.strerror})", where=path) from None


def _digests(file: IO[bytes]) -> tuple[int, str, str]:
    """Length in bytes, MD5 (which S3 tells of a file) and SHA-256, in hexadecimal."""
    md5, sha, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    while block := file.read(BLOCK):
        md5.update(block)
        sha.update(block)
        size += len(block)
    return size, md5.hexdigest(), sha.hexdigest()

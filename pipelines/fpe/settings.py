"""Where the database and the storage are: an option, else the environment, else files below the root.

What a password is in is read from the environment only. Connecting stands in database.py and storage.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from pipelines.errors import BadInput
from pipelines.program import read_json

DATABASE = click.option(
    "--database",
    metavar="URL",
    help="sqlite:///FILE, or postgresql://HOST/NAME.  [default: $FPE_DATABASE_URL, $DB_*, or ROOT/fpe.db]",
)
STORAGE = click.option(
    "--storage",
    metavar="URL",
    help="A directory or s3://BUCKET/PREFIX.  [default: $FPE_STORAGE_URL, $BUCKET, or ROOT/storage]",
)
STORAGE_OF_MODEL = click.option(
    "--storage",
    metavar="URL",
    help="A directory or s3://BUCKET/PREFIX.  [default: $FPE_STORAGE_URL, $BUCKET, or what the input's"
    " manifest.json names]",
)


def at_home(path: str | os.PathLike[str]) -> str:
    """``path`` with the home folder for a leading ~, which shells leave in `--root=~/data/fpe` as it is."""
    return os.path.expanduser(path)  # noqa: PTH111  # pathlib's raises where there is no such user


def database_url(
    option: str | None, root: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> str:
    """The URL of the database, as `database.connect` takes it; with its password, so not for printing.

    Raises:
        BadInput: ``option`` holds a password, which other users of the machine could read; or DB_* lack one.
    """
    if option:
        _refuse_password(option)
        return option
    if url := environ.get("FPE_DATABASE_URL"):
        return url
    if environ.get("DB_HOST"):
        return _from_parts(environ)
    return f"sqlite:///{Path(at_home(root)) / 'fpe.db'}"


def storage_url(
    option: str | None,
    root: str | os.PathLike[str],
    environ: Mapping[str, str] = os.environ,
    manifest: str | os.PathLike[str] | None = None,
) -> str:
    """The URL of the storage, as `storage.Storage` takes it; S3 itself reads AWS_* from the environment.

    Args:
        manifest: a model's manifest.json, whose prefix is it where neither option nor environment say so.

    Raises:
        BadInput: there is a manifest that begins with no prefix.
    """
    if option:
        return at_home(option)
    if url := environ.get("FPE_STORAGE_URL"):
        return at_home(url)
    if bucket := environ.get("BUCKET"):
        return f"s3://{bucket}"
    if manifest is not None and Path(manifest).exists():
        return _prefix(Path(manifest))
    return str(Path(at_home(root)) / "storage")


def _prefix(manifest: Path) -> str:
    match read_json(manifest):
        case [{"prefix": str(prefix)}, *_]:
            return prefix
    raise BadInput("does not begin with a prefix", where=manifest)


def _from_parts(environ: Mapping[str, str]) -> str:
    from sqlalchemy import URL

    if not environ.get("DB_DATABASE"):
        raise BadInput("is not set, though DB_HOST is", where="DB_DATABASE")
    port = environ.get("DB_PORT") or "5432"
    if not port.isdecimal():
        raise BadInput("is not a number", where="DB_PORT")
    url = URL.create(
        "postgresql",
        username=environ.get("DB_USER") or None,
        password=environ.get("DB_PASSWORD") or None,
        host=environ["DB_HOST"],
        port=int(port),
        database=environ["DB_DATABASE"],
    )
    return url.render_as_string(hide_password=False)


def has_password(url: str) -> bool:
    """Whether a URL that somebody gave for a database holds a password, as far as one can see."""
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(url)
        named = {key.lower() for key, _ in parse_qsl(parts.query, keep_blank_values=True)}
        return parts.password is not None or bool(named & {"password", "sslpassword"})
    except ValueError:
        return "@" in url


def _refuse_password(option: str) -> None:
    if has_password(option):
        raise BadInput(
            "has a password, which others could read from the list of processes",
            where="--database",
            hint="set FPE_DATABASE_URL, or PGPASSWORD",
        )

"""Scenes: folders named by a Sentinel-1 id, lists of them, and the pixels of their VV pictures.

What the layers of a scene say, and where on earth it lies, does not belong here.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import BadInput
from pipelines.program import read_lines, writing
from pipelines.rasters import CACHE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

BACKGROUND = "Background.png"
EXAMPLE = "S1A_IW_GRDH_1SDV_20200802T141646_20200802T141711_033729_03E8C7_E4F5"
NODATA = 0  # of the VV picture

Window = tuple[slice, slice]

_START = re.compile(r"_(\d{8}T\d{6})(?:_|$)")
_NO_PNG = {".bmp", ".gif", ".jpeg", ".jpg", ".jp2", ".psd", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Scene:
    """A scene; whoever makes one of folders that were not checked calls `from_line`.

    Attributes:
        folder: holds the VV picture and layers; its name is the scene's id.
        more: further folders of that name with layers of the same scene (one for each class, say).
    """

    folder: Path
    more: tuple[Path, ...] = ()

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def date(self) -> date:
        """The day on which the scene was taken, from its id.

        Raises:
            BadInput: the id holds none.
        """
        found = _START.search(self.id)
        with contextlib.suppress(ValueError):  # such as the 31st of February
            if found is not None:
                return datetime.strptime(found[1], "%Y%m%dT%H%M%S").date()
        raise BadInput(
            f"the scene's id {self.id!r} holds no date", where=self.folder, hint=f"such as {EXAMPLE}"
        )

    @property
    def month(self) -> int:
        """From 1 to 12; see `date`."""
        return self.date.month

    @property
    def background(self) -> Path:
        """The VV picture: found by its name, never by its place among the files."""
        return self.folder / BACKGROUND

    @property
    def layers(self) -> tuple[Path, ...]:
        """The pictures of slicks, by name, then folder; those of all folders, copies of one only once.

        Raises:
            BadInput: a picture that is no PNG lies beside them.
        """
        found: list[Path] = []
        for folder in (self.folder, *self.more):
            found += [path for path in _pictures(folder) if not _is_copy(path, found)]
        return tuple(sorted(found, key=lambda path: (path.name, path)))

    @property
    def line(self) -> str:
        """The scene in a list: its absolute folders, tabs between them."""
        return "\t".join(str(folder.absolute()) for folder in (self.folder, *self.more))

    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        with opened(self) as vv:
            return vv.shape


def from_line(line: str, base: Path = Path()) -> Scene:
    """The scene of a line of a list (see `Scene.line`), checked.

    Args:
        base: what relative folders are relative to.

    Raises:
        BadInput: no such folder, no Background.png in it, an id without a date, folders of several ids
            or one of them twice.
    """
    base = base.absolute()
    folders = sorted(Path(os.path.normpath(base / part.strip())) for part in line.split("\t") if part.strip())
    if not folders:
        raise BadInput("names no scene's folder", where=base)
    for folder in folders:
        _check(folder)
    scene = Scene(folders[0], tuple(folders[1:]))
    for other in scene.more:
        if other.name != scene.id:
            raise BadInput(f"is another scene than {scene.id}, but stands in its line", where=other)
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise BadInput("the scene's folder is listed twice", where=scene.folder)
    return scene


def read_list(path: str | os.PathLike[str], joined: bool = False) -> list[Scene]:
    """The scenes of a list, a line each (see `Scene.line`), in its order; of a folder all below it, by id.

    In a list, folders are absolute or relative to the list's own; empty lines and lines that begin with #
    say nothing. Below a folder, different folders with one id (one for each class, say) are one scene.

    Args:
        joined: make one scene of different folders with one id in a list, too, instead of an error.

    Raises:
        BadInput: see `from_line`; the list cannot be read, is empty or has a scene twice; no scene is below
            the folder.
    """
    path = Path(path)
    if path.is_dir():
        found = _by_id((from_line(str(folder)) for folder in _folders(path)), path, joined=True)
        if not found:
            raise BadInput(f"holds no scene: no folder below it has a {BACKGROUND}", where=path)
        return [found[scene] for scene in sorted(found)]
    found = _by_id((from_line(line, path.parent) for line in _lines(path)), path, joined)
    if not found:
        raise BadInput("lists no scene", where=path)
    return list(found.values())


def write_list(path: str | os.PathLike[str], scenes: Sequence[Scene]) -> None:
    """Write what `read_list` reads, with absolute folders."""
    with writing(path) as temporary:
        temporary.write_text("".join(f"{scene.line}\n" for scene in scenes), encoding="utf-8")


@dataclass(frozen=True)
class Reader:
    """The open VV picture of a scene.

    A PNG is decoded line by line and cannot be entered in the middle: read windows from the top down. Those
    of one row of tiles stay in GDAL's cache.
    """

    dataset: DatasetReader

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.dataset.height, self.dataset.width

    def read(self, rows: slice, cols: slice) -> NDArray[np.uint8]:
        """Pixels (h, w) of a window inside the scene; 0 is nodata."""
        from rasterio.windows import Window as Part

        part = Part(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        pixels: NDArray[np.uint8] = self.dataset.read(1, window=part)
        return pixels


@contextlib.contextmanager
def opened(scene: Scene) -> Iterator[Reader]:
    """Read windows of a scene's VV picture.

    Raises:
        BadInput: no 8-bit grey picture, or a broken one.
    """
    with open_picture(scene.background) as dataset:
        if dataset.count > 2 or dataset.dtypes[0] != "uint8" or dataset.colorinterp[0].name != "gray":
            raise BadInput("is not a grey picture of 8 bits", where=scene.background)
        yield Reader(dataset)


def read_background(scene: Scene, window: Window | None = None) -> NDArray[np.uint8]:
    """Pixels (h, w) of a window of the scene or of all of it; for many windows, see `opened`.

    Raises:
        BadInput: see `opened`.
    """
    with opened(scene) as vv:
        rows, cols = window or (slice(0, vv.shape[0]), slice(0, vv.shape[1]))
        return vv.read(rows, cols)


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[DatasetReader]:
    """A picture as a rasterio dataset, with a small cache.

    Raises:
        BadInput: it cannot be read, when opened or later within the block.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    try:
        # GDAL's short cut for whole PNGs takes what a truncated file lacks for zeros
        settings = rasterio.Env(GDAL_CACHEMAX=CACHE, GDAL_PNG_WHOLE_IMAGE_OPTIM="NO")
        with settings, warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as dataset:
                yield dataset
    except RasterioIOError as error:
        reason = error.__cause__ or error  # else "see previous exception"
        raise BadInput(f"is no picture that can be read ({reason})", where=path) from None


def _lines(path: Path) -> list[str]:
    """The lines of a list that name scenes."""
    lines = read_lines(path, otherwise="is not a text in UTF-8")
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _folders(path: Path) -> Iterator[Path]:
    """The folders of scenes in and below a folder; links are followed to scenes, and no further.

    Not in hidden folders: there a program that was killed may have left halves of scenes.
    """
    for here, folders, names in os.walk(path.absolute(), onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if _is_scene(Path(here), names):
            yield Path(here)
        for name in folders:
            there = Path(here, name)
            if there.is_symlink() and _is_scene(there, next(os.walk(there, onerror=_refuse))[2]):
                yield there


def _is_scene(folder: Path, names: Sequence[str]) -> bool:
    """Whether files of these names are a scene, be it one without its VV picture, which is to be said."""
    if BACKGROUND in names:
        return True
    named = folder.name.startswith("S1") and _START.search(folder.name) is not None
    return named and any(Path(name).suffix.lower() == ".png" for name in names)


def _refuse(error: OSError) -> None:
    raise BadInput(f"cannot be read ({error.strerror})", where=error.filename) from None


def _by_id(scenes: Iterable[Scene], where: Path, joined: bool) -> dict[str, Scene]:
    found: dict[str, Scene] = {}
    for scene in scenes:
        before = found.get(scene.id)
        if before is not None and not joined:
            raise BadInput(f"lists the scene {scene.id} twice", where=where)
        found[scene.id] = scene if before is None else from_line(f"{before.line}\t{scene.line}")
    return found


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise BadInput("no such folder of a scene", where=folder)
    if not (folder / BACKGROUND).is_file():
        raise BadInput(f"the scene has no {BACKGROUND}", where=folder)
    _ = Scene(folder).date


def _is_copy(path: Path, others: Sequence[Path]) -> bool:
    return any(filecmp.cmp(path, other, shallow=False) for other in others)


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name == BACKGROUND or path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix.lower() in _NO_PNG:
            raise BadInput("a layer has to be a PNG", where=path)
        if path.suffix.lower() == ".png":
            yield path

"""What a dataset.json (rslearn's config.json) says: layers, their band sets, and what fills them.

Which images there are, and which of them a window takes, does not belong here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.esrun.config_values import is_number, known_keys, listed, one_of, whole
from pipelines.program import read_json

LOCAL_FILES = "rslearn.data_sources.local_files.LocalFiles"
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32")
RESAMPLING = ("nearest", "bilinear", "cubic", "cubic_spline")
SPACE_MODES = ("MOSAIC", "CONTAINS", "INTERSECTS", "SINGLE_COMPOSITE")
ZOOM = 12  # a pixel in 4096 each way
UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}  # seconds


@dataclass(frozen=True)
class Remap:
    """Values in ``source`` stretched linearly to ``target``; values outside are clipped first."""

    source: tuple[float, float]
    target: tuple[float, float]


@dataclass(frozen=True)
class BandSet:
    """Bands that share a file.

    Attributes:
        zoom_offset: pixels are 2**zoom_offset times smaller than the window's.
        nodata: value of pixels that no image covers; None for that of the images, or 0.
    """

    bands: tuple[str, ...]
    dtype: str
    zoom_offset: int = 0
    remap: Remap | None = None
    nodata: float | None = None


@dataclass(frozen=True)
class Query:
    """How images are chosen for a window.

    Attributes:
        max_matches: time steps at most.
        min_matches: with fewer the window gets none.
        period: the window's time is cut into such pieces from its end, a time step each.
        newest_first: order of those time steps.
    """

    space_mode: str = "MOSAIC"
    max_matches: int = 1
    min_matches: int = 0
    period: timedelta | None = None
    newest_first: bool = True


@dataclass(frozen=True)
class ItemSpec:
    """An image that is made of several files.

    Attributes:
        bands: of each file.
    """

    fnames: tuple[str, ...]
    bands: tuple[tuple[str, ...], ...] | None = None
    name: str | None = None


@dataclass(frozen=True)
class Source:
    """A folder of local files.

    Attributes:
        folder: absolute.
        src_dir: as the config spells it.
        offset: added to a window's time before images are asked for.
        duration: how long that time then lasts; None for as long as the window's.
    """

    folder: Path
    src_dir: str
    query: Query
    specs: tuple[ItemSpec, ...] | None = None
    offset: timedelta = timedelta(0)
    duration: timedelta | None = None


@dataclass(frozen=True)
class Layer:
    """A layer; one without a ``source`` is written by somebody else, such as labels and output."""

    name: str
    type: str
    band_sets: tuple[BandSet, ...] = ()
    source: Source | None = None
    resampling: str = "bilinear"


def read_config(path: str | os.PathLike[str]) -> dict[str, Layer]:
    """The layers of a dataset.json, in its order. Relative folders are looked for beside the file.

    Raises:
        BadInput: no such file, or it asks for what it must not or what is not supported here.
    """
    data = read_json(path)
    layers = data.get("layers") if isinstance(data, Mapping) else None
    if not isinstance(layers, Mapping) or not layers:
        raise BadInput("has no layers", where=path)
    try:
        return {str(name): _layer(str(name), spec, Path(path).absolute().parent)
                for name, spec in layers.items()}  # fmt: skip
    except BadInput as error:
        raise BadInput(error.message, where=error.where or path, hint=error.hint) from None


def seconds(text: str, key: str) -> timedelta:
    """A time such as `30d`, `-12h`, `1d 6h` or `P30D`.

    >>> seconds("-1d 6h", "time_offset")
    datetime.timedelta(days=-2, seconds=64800)
    """
    found = re.fullmatch(r"([+-]?)P?((?:T?\s*\d+(?:\.\d+)?\s*[wdhms])+)", str(text).strip(), re.IGNORECASE)
    if found is None:
        raise BadInput(f"{key}: {text!r} is no duration", hint="such as 30d or -12h")
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([wdhms])", found[2].lower())
    try:
        span = timedelta(seconds=sum(float(count) * UNITS[unit] for count, unit in parts))
    except OverflowError:
        raise BadInput(f"{key}: {text!r} is too long") from None
    return -span if found[1] == "-" else span


def _lasting(text: str, key: str) -> timedelta:
    span = seconds(text, key)
    if span <= timedelta(0):
        raise BadInput(f"{key}: {text!r} must be longer than nothing")
    return span


def _layer(name: str, spec: Any, folder: Path) -> Layer:
    key = f"layers.{name}"
    keys = ("type", "band_sets", "data_source", "alias", "resampling_method", "compositing_method",
            "vector_format", "format", "class_property_name", "class_names")  # fmt: skip
    known_keys(spec, keys, key)
    kind = one_of(spec.get("type"), ("raster", "vector"), f"{key}.type")
    source = spec.get("data_source")
    sets = spec.get("band_sets") or []
    if kind == "raster" and (not isinstance(sets, list) or not sets):
        raise BadInput(f"{key}.band_sets: a raster layer needs at least one")
    if source is None:  # whatever its format, it is not ours to write
        return Layer(name, kind)
    one_of(spec.get("compositing_method") or "FIRST_VALID", ("FIRST_VALID",), f"{key}.compositing_method")
    if kind == "raster":
        bands = tuple(_band_set(one, f"{key}.band_sets.{number}") for number, one in enumerate(sets))
    else:
        bands = ()
    resampling = one_of(spec.get("resampling_method") or "bilinear", RESAMPLING, f"{key}.resampling_method")
    return Layer(name, kind, bands, _source(source, f"{key}.data_source", folder), resampling)


def _band_set(spec: Any, key: str) -> BandSet:
    known_keys(spec, ("bands", "num_bands", "dtype", "zoom_offset", "remap", "nodata_value", "nodata_vals",
                       "format", "class_names"), key)  # fmt: skip
    bands = spec.get("bands")
    if bands is None and isinstance(spec.get("num_bands"), int):
        bands = [f"B{number}" for number in range(spec["num_bands"])]
    if not isinstance(bands, list) or not bands or not all(isinstance(one, str) and one for one in bands):
        raise BadInput(f"{key}.bands: must be a list of names, not {bands!r}")
    if len(set(bands)) < len(bands):
        raise BadInput(f"{key}.bands: {bands!r} names a band twice")
    if spec.get("format") not in (None, {}, {"name": "geotiff"}):
        raise BadInput(f"{key}.format: {spec['format']!r} is not supported, bands are written as GeoTIFF")
    dtype = one_of(spec.get("dtype"), DTYPES, f"{key}.dtype")
    zoom = whole(spec.get("zoom_offset", 0), f"{key}.zoom_offset", -ZOOM, ZOOM)
    remap = _remap(spec.get("remap"), f"{key}.remap")
    return BandSet(tuple(bands), dtype, zoom, remap, _nodata(spec, key, dtype))


def _nodata(spec: Mapping[str, Any], key: str, dtype: str) -> float | None:
    import numpy as np

    given = [spec.get("nodata_value"), *listed(spec.get("nodata_vals"), f"{key}.nodata_vals")]
    values = [value for value in given if value is not None]
    for value in values:
        if not is_number(value):
            raise BadInput(f"{key}.nodata_value: {value!r} is no number")
        if np.issubdtype(dtype, np.integer) and (
            value != int(value) or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
        ):
            raise BadInput(f"{key}.nodata_value: {value!r} is no {dtype}")
    if len(set(values)) > 1:
        raise BadInput(f"{key}: bands with several nodata values are not supported")
    return values[0] if values else None


def _remap(spec: Any, key: str) -> Remap | None:
    if spec is None:
        return None
    if not isinstance(spec, Mapping) or spec.get("name") != "linear":
        raise BadInput(f"{key}: {spec!r} is not supported", hint="name: linear, with src and dst")
    ends = []
    for name in ("src", "dst"):
        pair = spec.get(name)
        if not (isinstance(pair, list) and len(pair) == 2 and all(is_number(one) for one in pair)):
            raise BadInput(f"{key}.{name}: must be two numbers, not {pair!r}")
        ends.append((float(pair[0]), float(pair[1])))
    if ends[0][0] >= ends[0][1]:
        raise BadInput(f"{key}.src: {spec['src']!r} must ascend")
    return Remap(*ends)


def _source(spec: Any, key: str, folder: Path) -> Source:
    """Newer files give class_path and init_args; older ones a name with the arguments beside it."""
    outer = ("query_config", "time_offset", "duration", "ingest")
    inner = ("src_dir", "raster_item_specs", "item_specs", "layer_type")
    if not isinstance(spec, Mapping):
        raise BadInput(f"{key}: must be a mapping, not {spec!r}")
    newer = "class_path" in spec
    args = (spec.get("init_args") or {}) if newer else {k: v for k, v in spec.items() if k in inner}
    known_keys(spec, (*outer, "class_path", "init_args") if newer else (*outer, *inner, "name"), key)
    name = spec.get("class_path" if newer else "name")
    if name != LOCAL_FILES:
        raise BadInput(f"{key}: the source {name!r} is not supported", hint=LOCAL_FILES)
    known_keys(args, inner, f"{key}.init_args" if newer else key)
    src_dir = args.get("src_dir")
    if not isinstance(src_dir, str) or not src_dir:
        raise BadInput(f"{key}.src_dir: must be a folder, not {src_dir!r}")
    specs = args.get("raster_item_specs", args.get("item_specs"))
    duration = spec.get("duration")
    return Source(
        _folder(src_dir, folder, f"{key}.src_dir"), src_dir,
        _query(spec.get("query_config") or {}, f"{key}.query_config"),
        None if specs is None
        else tuple(_item_spec(one, f"{key}.item_specs") for one in listed(specs, f"{key}.item_specs")),
        seconds(spec.get("time_offset") or "0d", f"{key}.time_offset"),
        None if duration is None else _lasting(duration, f"{key}.duration"),
    )  # fmt: skip


def _folder(src_dir: str, folder: Path, key: str) -> Path:
    text = os.path.expandvars(src_dir.removeprefix("file://"))
    if "${" in text:
        raise BadInput(f"{key}: {src_dir!r} names a variable that is not set")
    return folder / text


def _item_spec(spec: Any, key: str) -> ItemSpec:
    known_keys(spec, ("fnames", "bands", "name"), key)
    fnames, bands = spec.get("fnames"), spec.get("bands")
    if not isinstance(fnames, list) or not fnames:
        raise BadInput(f"{key}.fnames: must be a list of files, not {fnames!r}")
    each = all(isinstance(one, list) for one in bands) if isinstance(bands, list) else bands is None
    if not each or (bands is not None and len(bands) != len(fnames)):
        raise BadInput(f"{key}.bands: must be a list of bands for each of {fnames!r}")
    names = None if bands is None else tuple(tuple(map(str, one)) for one in bands)
    return ItemSpec(tuple(map(str, fnames)), names, spec.get("name"))


def _query(spec: Any, key: str) -> Query:
    keys = ("space_mode", "time_mode", "min_matches", "max_matches", "period_duration",
            "mosaic_compositing_overlaps", "per_period_mosaic_reverse_time_order")  # fmt: skip
    known_keys(spec, keys, key)
    one_of(spec.get("time_mode", "WITHIN"), ("WITHIN",), f"{key}.time_mode")
    one_of(spec.get("mosaic_compositing_overlaps", 1), (1,), f"{key}.mosaic_compositing_overlaps")
    period = spec.get("period_duration")
    return Query(
        one_of(spec.get("space_mode", "MOSAIC"), SPACE_MODES, f"{key}.space_mode"),
        whole(spec.get("max_matches", 1), f"{key}.max_matches", 1),
        whole(spec.get("min_matches", 0), f"{key}.min_matches", 0),
        None if period is None else _lasting(period, f"{key}.period_duration"),
        bool(spec.get("per_period_mosaic_reverse_time_order", True)),
    )

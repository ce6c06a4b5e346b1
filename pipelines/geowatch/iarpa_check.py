"""A GeoJSON document against `iarpa_schema.json`, with errors that name the feature and the key.

Reading and writing the documents is `iarpa.py`'s.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

KINDS = {
    "region": "region model",
    "site": "site model",
    "manifest": "manifest of models",
    "collection": "GeoJSON file of polygons",
}
SHOWN = 60  # characters of a wrong value


def check(document: Any, kind: str, path: str | os.PathLike[str]) -> None:
    """Do nothing if ``document`` is a ``kind``, one of `KINDS`.

    Raises:
        BadInput: it is not; names the file, and the first feature and key that are wrong.
    """
    errors = list(_validator(kind).iter_errors(document))
    if errors:
        first = min(errors, key=lambda error: [str(part).zfill(6) for part in error.absolute_path])
        raise BadInput(f"is no {KINDS[kind]}: {_place(first, document)}{_fault(first)}", where=path)


@functools.cache
def _validator(kind: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    schema = json.loads((files("pipelines.geowatch") / "iarpa_schema.json").read_text(encoding="utf-8"))
    schema["$ref"] = f"#/$defs/{kind}"
    quick = extend(Draft202012Validator, {"items": _items})
    return quick(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword `items`, ten times as fast for right coordinates, which are nearly all of a file."""
    from jsonschema import Draft202012Validator

    if items == {"$ref": "#/$defs/position"} and _are_positions(instance):
        return
    yield from Draft202012Validator.VALIDATORS["items"](validator, items, instance, schema)


def _are_positions(ring: Any) -> bool:
    """Whether these are pairs of degrees; when in doubt not, and the schema says why."""
    try:
        return all(
            type(x) in (int, float) and type(y) in (int, float) and -180 <= x <= 180 and -90 <= y <= 90
            for x, y in ring
        )
    except (TypeError, ValueError):
        return False


def _place(error: ValidationError, document: Any) -> str:
    """`feature 3 (site_summary XX_R001_0002), key 'status' `, as far as the error has one."""
    path = [str(part) for part in error.absolute_path]
    if path[:1] == ["features"] and len(path) > 1:
        feature = document["features"][int(path[1])]
        keys = [part for part in path[2:] if part != "properties"]
        place = f"feature {path[1]}{_called(feature)}"
    else:
        keys, place = path, "the document"
    # Deep inside coordinates the numbers of ring and point help nobody.
    key = ".".join(keys[:2] if keys[:1] == ["geometry"] else keys)
    return f"{place}, key {key!r}, " if key else f"{place} "


def _called(feature: Any) -> str:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        return ""
    found = (properties.get("type"), properties.get("site_id") or properties.get("region_id"))
    names = [name for name in found if isinstance(name, str)]
    return f" ({' '.join(names)})" if names else ""


def _fault(error: ValidationError) -> str:
    """What is wrong with the value, in the words of the schema where it has some."""
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"has no key {missing[0]!r}"
    shown = json.dumps(error.instance)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    described = error.schema.get("description") if isinstance(error.schema, dict) else None
    if described:
        return f"is {shown}, not {described}"
    if error.validator in ("enum", "const"):
        known = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        return f"is {shown}, not {' or '.join(str(one) for one in known)}"
    return f"is {shown}, not of type {error.validator_value}" if error.validator == "type" else error.message

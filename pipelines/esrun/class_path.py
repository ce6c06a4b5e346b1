"""Objects by `class_path` and `init_args`, nested; the names of the built-in tools, the user's own classes.

What the tools do does not belong here.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from kwdag.errors import did_you_mean, nearest
from pipelines.errors import BadInput
from pipelines.esrun import tools
from pipelines.esrun.projection import Projection

T = TypeVar("T")
PREFIXES = ("esrun.runner.tools.", "esrun.tools.", "olmoearth_run.runner.tools.")
TOOLS = f"{tools.__name__}."
ALIASES = {  # spellings that other documents use
    "data_splitter.": "data_splitters.",
    "postprocessors.postprocess_inferface.": "postprocessors.postprocess_interface.",
}
_HOMES: dict[str, str] = {}  # modules that lie beside a file that named one, and its folder
PROJECTIONS = ("rslearn.utils.geometry.Projection", "rslearn.utils.Projection")


def build(spec: Any, base: type[T], key: str, where: str | os.PathLike[str]) -> T:
    """The object that a mapping of ``class_path`` and ``init_args`` describes.

    Args:
        base: what it must be.
        key: place of the mapping in its file, for errors.
        where: that file; its folder is searched for the user's own modules after PYTHONPATH.

    Raises:
        BadInput: no such class, one of another kind, arguments that do not fit.
    """
    if not isinstance(spec, Mapping) or not isinstance(spec.get("class_path"), str):
        raise BadInput(f"{key}: needs a class_path and perhaps init_args, not {spec!r}", where=where)
    for name in set(spec) - {"class_path", "init_args"}:
        hint = did_you_mean(name, ("class_path", "init_args"))
        raise BadInput(f"{key}: no key {name!r} beside class_path", where=where, hint=hint)
    kind = find_class(spec["class_path"], key, where)
    if not issubclass(kind, base):
        raise BadInput(f"{key}: {spec['class_path']} is no {base.__name__}", where=where)
    args = spec.get("init_args") or {}
    if not isinstance(args, Mapping):
        raise BadInput(f"{key}.init_args: must be a mapping, not {args!r}", where=where)
    found = _made(kind, args, f"{key}.init_args", where)
    assert isinstance(found, base)
    return found


def find_class(class_path: str, key: str, where: str | os.PathLike[str]) -> type[Any]:
    """The class of a dotted name. Raises BadInput if there is none."""
    full = _full_name(class_path)
    module, _, name = full.rpartition(".")
    named = module and not module.startswith(".")
    try:
        found = getattr(_imported(module, where), name, None) if named else None
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise BadInput(
                f"{key}: {class_path} needs {error.name}, which is not installed", where=where,
                hint=_here(error.name),
            ) from None  # fmt: skip
        found = None
    except BadInput:
        raise
    except Exception as error:  # the user's own module
        raise BadInput(
            f"{key}: {module} cannot be imported ({type(error).__name__}: {error})", where=where
        ) from None
    if not inspect.isclass(found):
        raise BadInput(f"{key}: no class {class_path!r}", where=where, hint=_meant(name))
    return found


def _here(module: str | None) -> str | None:
    """A hint for a user's module that imports an interface under the name that it has elsewhere."""
    prefix = next((one for one in PREFIXES if f"{module}.".startswith(one.partition(".")[0] + ".")), None)
    return None if prefix is None else f"import {tools.__name__} in place of {prefix.rstrip('.')}"


def _meant(name: str) -> str | None:
    """A hint with the whole class_path of the built-in tool of nearly that name."""
    paths = {path.rpartition(".")[2]: path for path in known()}
    close = nearest(name, paths)
    return None if close is None else f"did you mean {paths[close]!r}?"


def known() -> list[str]:
    """class_path of every built-in tool that takes the place of another."""
    found = []
    for info in pkgutil.walk_packages(tools.__path__, TOOLS):
        if not info.ispkg:
            module = importlib.import_module(info.name)
            found += [
                f"{PREFIXES[0]}{info.name.removeprefix(TOOLS)}.{name}"
                for name, kind in vars(module).items()
                if inspect.isclass(kind) and kind.__module__ == info.name and not inspect.isabstract(kind)
            ]
    return sorted(found)


def _full_name(class_path: str) -> str:
    prefix = next((p for p in PREFIXES if class_path.startswith(p)), None)
    if prefix is None:
        return class_path
    rest = class_path.removeprefix(prefix)
    for old, new in ALIASES.items():
        rest = new + rest.removeprefix(old) if rest.startswith(old) else rest
    return TOOLS + rest


def _imported(module: str, where: str | os.PathLike[str]) -> Any:
    """A module, looked for on PYTHONPATH first, then beside the file that names it."""
    folder = str(Path(where).absolute().parent)
    _forget_others(folder)
    before = set(sys.modules)
    sys.path.append(folder)
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(folder + os.sep):
                _HOMES[name] = folder


def _forget_others(folder: str) -> None:
    """Modules of other projects go: this one may have its own of the same names."""
    for name in [name for name, home in _HOMES.items() if home != folder]:
        sys.modules.pop(name, None)
        del _HOMES[name]


def _made(kind: type[Any], args: Mapping[str, Any], key: str, where: str | os.PathLike[str]) -> Any:
    try:
        signature = inspect.signature(kind)
    except ValueError:  # some types written in C
        raise BadInput(f"{key}: {kind.__name__} does not say what it takes", where=where) from None
    names = [name for name in signature.parameters if name != "self"]
    for name in args:
        free = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        if name not in names and not free:
            hint = did_you_mean(name, names)
            raise BadInput(f"{key}: {kind.__name__} takes no {name!r}", where=where, hint=hint)
    hints = _hints(kind)
    values = {name: _value(value, hints.get(name), f"{key}.{name}", where) for name, value in args.items()}
    try:
        signature.bind(**values)
    except TypeError as error:
        raise BadInput(f"{key}: {kind.__name__}: {error}", where=where) from None
    try:
        return kind(**values)
    except (BadInput, ValueError, TypeError) as error:
        raise BadInput(f"{key}: {error}", where=where) from None


def _value(value: Any, hint: Any, key: str, where: str | os.PathLike[str]) -> Any:
    """A value as the parameter wants it: nested classes made, projections read, texts of numbers refused."""
    if isinstance(value, Mapping) and value.get("class_path") in PROJECTIONS:
        value = value.get("init_args") or {}
        hint = Projection
    if isinstance(value, Mapping) and isinstance(value.get("class_path"), str):
        return build(value, object, key, where)
    wanted = _alternatives(hint)
    if isinstance(value, Mapping) and Projection in wanted:
        try:
            return Projection.from_json(value)
        except BadInput as error:
            raise BadInput(f"{key}: {error}", where=where) from None
    if value is not None and wanted and all(one in _PLAIN for one in wanted) and not _fits(value, wanted):
        raise BadInput(f"{key}: {value!r} is no {' or '.join(_PLAIN[one] for one in wanted)}", where=where)
    return value


def _alternatives(hint: Any) -> list[Any]:
    """The types that an annotation such as `float | None` allows beside None."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return [one for one in (typing.get_args(hint) if union else (hint,)) if one is not type(None)]


_PLAIN = {int: "whole number", float: "number", bool: "truth value", str: "text"}


def _fits(value: Any, wanted: list[Any]) -> bool:
    if isinstance(value, bool):
        return bool in wanted
    return isinstance(value, tuple(wanted)) or (isinstance(value, int) and float in wanted)


def _hints(kind: type[Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind.__init__)
    except Exception:  # a user's class may name types that exist for checkers alone
        return {}

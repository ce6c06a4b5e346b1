"""Importing what users wrote: their folder is on the path, and whatever their code raises is one error.

What is imported, and what it must be, is the callers' business.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from kwdag.errors import KwdagError, PipelineError, did_you_mean, nearest
from kwdag.sources import neighbour

T = TypeVar("T")


def import_module(name: str) -> ModuleType:
    """The module of a dotted name; raises PipelineError where there is none, or it raises on import."""
    if not is_module(name):
        raise PipelineError(f"no module {name!r}", hint=_close_module(name))
    return guarded(lambda: importlib.import_module(name), "raised on import")


def is_module(name: str) -> bool:
    """Whether a module can be found. The packages above it are imported for that."""
    # A console script has its own folder on the path, not the user's, in which pipelines are written.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return guarded(lambda: importlib.util.find_spec(name), "raised on import") is not None
    except PipelineError as error:
        missing = getattr(error.__context__, "name", None)
        if isinstance(error.__context__, ModuleNotFoundError) and f"{name}.".startswith(f"{missing}."):
            return False
        raise


def import_file(path: str) -> ModuleType:
    """The module in a Python file, whose folder it may import from; raises PipelineError."""
    path = os.path.expandvars(os.path.expanduser(path))
    if not os.path.isfile(path):
        raise PipelineError(f"no such file {path!r}", hint=neighbour(Path(path)))
    folder = str(Path(path).absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    sys.modules[spec.name] = module
    guarded(lambda: loader.exec_module(module), "raised on import")
    return module


def attribute(owner: object, name: str, within: str) -> object:
    """An attribute of what was imported; raises PipelineError with the nearest name."""
    if not hasattr(owner, name):
        public = [key for key, item in vars(owner).items() if callable(item) and not key.startswith("_")]
        public += [module.name for module in pkgutil.iter_modules(getattr(owner, "__path__", ()))]
        raise PipelineError(f"nothing named {name!r} in {within}", hint=did_you_mean(name, public))
    return getattr(owner, name)


def import_dotted(path: str) -> Any:
    """Import `package.module.attribute`, or an attribute of an attribute.

    Raises:
        PipelineError: when no such module or attribute is there, or it raises on import.
    """
    owner, _, name = path.rpartition(".")
    if not owner:
        raise PipelineError(f"{path!r} is not of the form package.module.name")
    is_member = "." in owner and not is_module(owner)
    return attribute(import_dotted(owner) if is_member else import_module(owner), name, owner)


def guarded(call: Callable[[], T], what: str) -> T:
    """What user code returns; anything that it raises becomes one PipelineError with the line."""
    try:
        return call()
    except KwdagError:
        raise
    except (Exception, SystemExit) as error:
        text = " ".join(str(getattr(error, "msg", error)).split())
        raise PipelineError(f"it {what}: {type(error).__name__}: {text}{_place(error)}") from None


def _place(error: BaseException) -> str:
    """The innermost line of user code, or where its syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    ours = (str(Path(__file__).parent), "<frozen importlib")
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(ours)
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def _close_module(name: str) -> str:
    """A hint: the module that was most likely meant, beside the innermost package that exists."""
    parent, _, last = name.rpartition(".")
    package = sys.modules.get(parent)
    folders = getattr(package, "__path__", []) if parent else [os.getcwd()]
    close = nearest(last, (module.name for module in pkgutil.iter_modules(folders)))
    if close:
        return f"did you mean {f'{parent}.{close}' if parent else close!r}?"
    return "is it installed, on PYTHONPATH or below the current folder?"

"""From the name of a pipeline to the pipeline: code, a file, or data.

Calls are read, not evaluated: their arguments can only be literals.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from kwdag import yaml_pipeline
from kwdag.errors import KwdagError, PipelineError, did_you_mean
from kwdag.pipeline import Pipeline

FORMS = "package.module.function(), path/to/file.py::function(), a .yaml file or a mapping with 'nodes'"


def load_pipeline(ref: Any) -> Pipeline:
    """Find the pipeline that a reference names, and check it.

    Args:
        ref: a Pipeline, a mapping, or text: `package.module.function()`, `path/to/file.py::function()`,
            a `.yaml` file, or YAML text.

    Raises:
        PipelineError: naming the reference and what is wrong with it.
    """
    pipeline = _load(ref)
    pipeline.wiring()
    return pipeline


def _load(ref: Any) -> Pipeline:
    if isinstance(ref, Pipeline):
        return ref
    if isinstance(ref, Mapping):
        return yaml_pipeline.from_spec(ref)
    text = os.fspath(ref).strip() if isinstance(ref, str | os.PathLike) else ""
    if not text:
        raise PipelineError(f"a pipeline is named as {FORMS}, not {ref!r}", where="pipeline")
    if text.endswith((".yaml", ".yml", ".json")):
        return _from_yaml_file(text)
    if "\n" in text or text.startswith("{"):
        return _from_yaml_text(text, "pipeline")
    return _from_code(text)


def _from_yaml_file(path: str) -> Pipeline:
    if not os.path.isfile(path):
        beside = sorted(p.name for p in Path(path).absolute().parent.glob("*.y*ml"))
        raise PipelineError(
            f"no such pipeline file {path!r}", where="pipeline", hint=did_you_mean(Path(path).name, beside)
        )
    return _from_yaml_text(Path(path).read_text(), path)


def _from_yaml_text(text: str, name: str) -> Pipeline:
    from kwdag.yamlio import load_yaml

    document = load_yaml(text, name)
    if not isinstance(document.data, Mapping):
        raise PipelineError("a pipeline is a mapping with 'nodes' and 'edges'", where=name)
    try:
        return yaml_pipeline.from_spec(document.data)
    except PipelineError as error:
        raise PipelineError(error.message, where=error.where or name, hint=error.hint) from None


def _from_code(text: str) -> Pipeline:
    source, function, args, kwargs = _read_call(text)
    module = _import_file(source, text) if source.endswith(".py") else _import_module(source, text)
    if not hasattr(module, function):
        public = [name for name, item in vars(module).items() if callable(item) and not name.startswith("_")]
        raise PipelineError(
            f"no function {function!r} in {source}",
            where=f"pipeline {text!r}",
            hint=did_you_mean(function, public),
        )
    made = _guarded(lambda: getattr(module, function)(*args, **kwargs), "raised", text)
    if not isinstance(made, Pipeline):
        raise PipelineError(f"it returned {type(made).__name__}, not a Pipeline", where=f"pipeline {text!r}")
    return made


def _read_call(text: str) -> tuple[str, str, list[Any], dict[str, Any]]:
    """Split `<module or file>(.|::)<function>(<literals>)`; the parentheses may be left out."""
    file, separator, call = text.rpartition("::")
    try:
        tree = ast.parse(call, mode="eval").body
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if isinstance(tree, ast.Call):
            args = [ast.literal_eval(arg) for arg in tree.args]
            kwargs = {str(item.arg): ast.literal_eval(item.value) for item in tree.keywords}
            tree = tree.func
        module, _, function = ast.unparse(tree).rpartition(".")
    except (SyntaxError, ValueError):
        raise PipelineError(f"cannot read {text!r} as {FORMS}", where="pipeline") from None
    if separator:
        return file, function, args, kwargs
    if not module:
        raise PipelineError(f"unknown pipeline {text!r}", where="pipeline", hint=f"name it as {FORMS}")
    return module, function, args, kwargs


def _import_module(name: str, text: str) -> ModuleType:
    # A console script has its own folder on the path, not the user's, in which pipelines are written.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(name=name)
    except ModuleNotFoundError as error:
        raise PipelineError(
            f"no module {error.name!r}", where=f"pipeline {text!r}",
            hint="is it installed, on PYTHONPATH or below the current folder?",
        ) from None  # fmt: skip
    except Exception as error:  # a parent package may raise anything
        raise _raised(error, "raised on import", text) from None
    return _guarded(lambda: importlib.import_module(name), "raised on import", text)


def _import_file(path: str, text: str) -> ModuleType:
    path = os.path.expandvars(os.path.expanduser(path))
    if not os.path.isfile(path):
        raise PipelineError(f"no such file {path!r}", where=f"pipeline {text!r}")
    folder = str(Path(path).absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    _guarded(lambda: spec.loader.exec_module(module), "raised on import", text)
    return module


def _guarded(call: Any, what: str, text: str) -> Any:
    try:
        return call()
    except KwdagError:
        raise
    except (Exception, SystemExit) as error:
        raise _raised(error, what, text) from None


def _raised(error: BaseException, what: str, text: str) -> PipelineError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    message = " ".join(str(error).split())
    return PipelineError(f"it {what}: {type(error).__name__}: {message}{place}", where=f"pipeline {text!r}")

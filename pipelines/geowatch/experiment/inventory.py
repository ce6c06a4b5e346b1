"""What lies in an experiment folder: the rows of the volatile, the staging and the versioned table.

Reads only; what to do about a row is decided in sync.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kwdag import inventory, jobdir
from pipelines.geowatch.experiment import layout
from pipelines.geowatch.experiment.layout import Selection

DVC = ".dvc"


@dataclass(frozen=True, slots=True)
class Volatile:
    """A prediction on this disk, which nobody versions: it can be made again.

    ``size`` is that of all in the folder of ``path``, in bytes.
    """

    type: str
    dataset_code: str
    expt: str
    model: str
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class Staged:
    """A checkpoint of training or the package made of it (or both), not versioned yet.

    Attributes:
        pkg_fpath: where the package belongs among the versioned ones.
        is_copied: there is such a package, here or as its `.dvc` file.
    """

    dataset_code: str
    expt: str
    model: str
    epoch: int | None
    step: int | None
    is_packaged: bool
    is_copied: bool
    ckpt_path: Path | None
    spkg_fpath: Path | None
    pkg_fpath: Path


@dataclass(frozen=True, slots=True)
class Versioned:
    """A package or an evaluation that DVC tracks, or should.

    Attributes:
        type: `pkg_fpath`, or `eval_` and what is evaluated.
        has_raw: the data are on this disk (a link whose target is gone is no data).
        has_dvc: its `.dvc` file is there.
        needs_pull: there is a `.dvc` file without its data.
        needs_push: there are data without a `.dvc` file, or (where asked for) that the remote lacks.
        is_broken: a link whose target is gone.
        unprotected: tracked, but no link into the cache, so that a program may write into it unnoticed.
        raw: where the data belong.
    """

    type: str
    dataset_code: str
    expt: str
    model: str
    has_raw: bool
    has_dvc: bool
    needs_pull: bool
    needs_push: bool
    is_broken: bool
    unprotected: bool
    raw: Path

    @property
    def dvc(self) -> Path:
        return self.raw.with_name(self.raw.name + DVC)


@dataclass(frozen=True, slots=True)
class Tables:
    volatile: list[Volatile]
    staging: list[Staged]
    versioned: list[Versioned]


def take(folder: Path, wanted: Selection) -> Tables:
    """The three tables of an experiment folder, in order of their paths."""
    return Tables(
        list(volatile_rows(folder, wanted)),
        list(staging_rows(folder, wanted)),
        list(versioned_rows(folder, wanted)),
    )


def with_lacking(tables: Tables, lacking: Collection[Path]) -> Tables:
    """The tables, where data that a remote lacks need a push although they are tracked."""
    rows = [replace(row, needs_push=row.needs_push or row.raw in lacking) for row in tables.versioned]
    return replace(tables, versioned=rows)


def versioned_rows(folder: Path, wanted: Selection) -> Iterator[Versioned]:
    """Packages, then evaluations, of one dataset code after the other."""
    for code in filter(wanted.has_code, layout.codes(folder)):
        for expt in layout.folders(layout.package_dpath(folder, code, "")):
            for raw in _tracked(file for file in sorted(expt.iterdir())):
                model = layout.model_name(raw.name)
                if raw.name.endswith(layout.PACKAGE) and wanted.has_model(model):
                    yield _versioned("pkg_fpath", code, expt.name, model, raw)
        for expt_name, model, model_dpath in _models(folder, code, "eval", wanted):
            for raw in _tracked(layout.files_below(model_dpath)):
                if raw.name in layout.EVALUATIONS:
                    kind = layout.kind(raw, layout.EVALUATIONS)
                    yield _versioned(f"eval_{kind}", code, expt_name, model, raw)


def _tracked(files: Iterable[Path]) -> list[Path]:
    """The paths of data, once each, whether the data, their `.dvc` file or both are there."""
    return sorted({file.with_suffix("") if file.suffix == DVC else file for file in files})


def _models(folder: Path, code: str, part: str, wanted: Selection) -> Iterator[tuple[str, str, Path]]:
    """Experiment, model and folder of each model that has predictions or evaluations."""
    for expt in layout.folders(folder / layout.MODELS / code / part):
        for model_dpath in layout.folders(expt):
            model = layout.model_name(model_dpath.name)
            if wanted.has_model(model):
                yield expt.name, model, model_dpath


def _versioned(kind: str, code: str, expt: str, model: str, raw: Path) -> Versioned:
    has_raw, has_dvc = raw.exists(), raw.with_name(raw.name + DVC).is_file()
    is_link = raw.is_symlink() or (has_raw and raw.stat().st_nlink > 1)
    return Versioned(
        kind, code, expt, model, has_raw, has_dvc,
        needs_pull=has_dvc and not has_raw,
        needs_push=has_raw and not has_dvc,
        is_broken=raw.is_symlink() and not has_raw,
        unprotected=has_dvc and has_raw and not is_link,
        raw=raw,
    )  # fmt: skip


def staging_rows(folder: Path, wanted: Selection) -> Iterator[Staged]:
    """A row for each checkpoint and each package of training; those of one name are one row."""
    for run in layout.training_runs(folder):
        code, expt = run.parent.parent.name, run.name
        if not wanted.has_code(code):
            continue
        pairs: dict[tuple[Path, str], dict[str, Path]] = {}
        for file in layout.files_below(run):
            if file.suffix in (".ckpt", layout.PACKAGE) and file.stem != "last" and _is_finished(file.parent):
                name = layout.package_name(expt, file)
                pairs.setdefault((file.parent, name), {})[file.suffix] = file
        for (_, name), files in pairs.items():
            if wanted.has_model(layout.model_name(name)):
                yield _staged(layout.package_dpath(folder, code, expt) / name, code, expt, files)


def _staged(pkg_fpath: Path, code: str, expt: str, files: dict[str, Path]) -> Staged:
    epoch, step = layout.epoch_and_step(pkg_fpath.name)
    package = files.get(layout.PACKAGE)
    is_copied = pkg_fpath.exists() or pkg_fpath.with_name(pkg_fpath.name + DVC).is_file()
    return Staged(
        code, expt, layout.model_name(pkg_fpath.name), epoch, step,
        is_packaged=package is not None, is_copied=is_copied,
        ckpt_path=files.get(".ckpt"), spkg_fpath=package, pkg_fpath=pkg_fpath,
    )  # fmt: skip


def volatile_rows(folder: Path, wanted: Selection) -> Iterator[Volatile]:
    """Finished predictions; one whose job has not ended well may be half a file."""
    for code in filter(wanted.has_code, layout.codes(folder)):
        for expt, model, model_dpath in _models(folder, code, "pred", wanted):
            for file in layout.files_below(model_dpath):
                if file.name in layout.PREDICTIONS and file.is_file() and _is_finished(file.parent):
                    kind = layout.kind(file, layout.PREDICTIONS)
                    yield Volatile(f"pred_{kind}", code, expt, model, _size(file.parent), file)


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in layout.files_below(folder))


def _is_finished(dpath: Path) -> bool:
    """Whether the job of a directory is done; one without kwdag's files was made by hand and counts."""
    if not (dpath / jobdir.INVOKE).exists():
        return True
    return inventory.look(dpath.parent.name, dpath.name, str(dpath)).state == "done"


def finished_evaluations(folder: Path, wanted: Selection) -> Iterator[tuple[Path, Path]]:
    """Evaluations that runs below `pred` have made, each with its place among the versioned ones."""
    for code in filter(wanted.has_code, layout.codes(folder)):
        for expt, _, model_dpath in _models(folder, code, "pred", wanted):
            for node, job_id, dpath in jobdir.iter_jobs(model_dpath):
                if inventory.look(node, job_id, dpath).state == "done":
                    target = layout.evaluation_dpath(folder, code, expt, model_dpath.name) / job_id
                    made = (Path(dpath) / name for name in layout.EVALUATIONS)
                    yield from ((file, target / file.name) for file in made if file.is_file())

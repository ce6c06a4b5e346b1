"""What a person may have written down of ranked tables: files of several formats, links, pictures, a page.

Decides which writer is asked and where its files go; each writer has a module of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kwdag.errors import ResultError

if TYPE_CHECKING:
    from kwdag.aggregation import Aggregate

PICTURES = ("png", "svg")


@dataclass(frozen=True, slots=True)
class Products:
    """What to write.

    Attributes:
        tables: formats, a file a node in each.
        symlinks: links to job directories by region and by hashid.
        plots: formats of pictures.
        page: `report.html`.
    """

    tables: tuple[str, ...] = ()
    symlinks: bool = False
    plots: tuple[str, ...] = ()
    page: bool = False

    @classmethod
    def of(cls, tables: Any = (), symlinks: Any = False, pictures: Any = (), page: Any = False) -> Products:
        """Read what a caller asked for: True, or names of formats. Raises ResultError for unknown ones."""
        from kwdag.exports import check_formats
        from kwdag.report import html, plots

        found = cls(
            tuple(check_formats(_formats(tables, ("csv",)))),
            bool(symlinks),
            tuple(_formats(pictures, PICTURES)),
            bool(page),
        )
        if found.plots:
            plots.check(found.plots)
        if found.page:
            html.check()
        return found

    def __bool__(self) -> bool:
        return bool(self.tables or self.symlinks or self.plots or self.page)


def _formats(asked: Any, default: Sequence[str]) -> list[str]:
    if isinstance(asked, bool | int | None):
        return list(default) if asked else []
    return listed(asked)


def listed(asked: str | Iterable[str]) -> list[str]:
    """Names from a list, or from a text that has commas between them; each once, in their order."""
    names = asked.split(",") if isinstance(asked, str) else asked
    return list(dict.fromkeys(name for name in (str(name).strip() for name in names) if name))


def publish(
    found: Aggregate,
    products: Products,
    folder: str | os.PathLike[str] | None,
    step: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the products into a folder, which is made; what was written.

    Args:
        step: is told what comes next.
        progress: is told how much of a long step is done, and of how much.

    Raises:
        ResultError: no folder is given, or the disk refuses.
    """
    if not products:
        return []
    if folder is None:
        raise ResultError("needs a folder", where="export_tables", hint="name it with --output_dpath")
    try:
        return list(_write(found, products, Path(folder), step or (lambda text: None), progress))
    except OSError as error:
        raise ResultError(f"cannot write: {error.strerror}", where=str(error.filename or folder)) from error


def _write(
    found: Aggregate,
    products: Products,
    folder: Path,
    step: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
) -> Iterator[Path]:
    base = str(Path.cwd())
    jobs = found.jobs() if products.plots or products.page else None
    if products.tables:
        from kwdag.exports import export

        step("writing tables")
        yield from export(found.tables, folder, products.tables)
    if products.symlinks:
        from kwdag.symlinks import symlink_results

        step("linking results")
        yield from symlink_results(found.tables, found.metrics, folder / "links")
    if products.plots:
        from kwdag.report.plots import write_plots

        step("drawing plots")
        yield from write_plots(
            found.tables, found.metrics, found.roles, folder / "plots",
            jobs=jobs, formats=products.plots, base=base, progress=progress,
        )  # fmt: skip
    if products.page:
        from kwdag.report.html import write_page

        step("writing the page")
        yield write_page(
            folder / "report.html", found.tables, found.metrics, found.roles,
            title=", ".join(str(run.root.name) for run in found.runs) or "kwdag",
            wiring=found.runs[0].pipeline.wiring() if found.runs else None,
            jobs=jobs, states=found.states, base=base,
        )  # fmt: skip

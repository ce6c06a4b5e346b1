"""Pictures of evaluations: precision-recall and ROC curves, heatmaps beside their errors, maps of sites.

Drawn by matplotlib without a display; the same numbers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import program
from pipelines.geowatch import pixel_scores

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

    from pipelines.geowatch.pixel_scores import Histogram
    from pipelines.geowatch.polygon_scores import Case, Outcome

# Okabe and Ito's colours, told apart by colour-blind readers too.
GREEN, ORANGE, BLUE, GREY = "#009e73", "#d55e00", "#0072b2", "#999999"
_CYCLE = (BLUE, ORANGE, GREEN, "#cc79a7", "black")


@dataclass(frozen=True, eq=False)
class Panel:
    """One frame: score (height, width) with NaN where unknown, truth bool of that shape, and a title."""

    title: str
    score: np.ndarray
    truth: np.ndarray


def draw_curves(folder: Path, histograms: Mapping[str, Histogram]) -> None:
    """`precision_recall.png` and `roc.png`, a line for each name that has both classes."""
    kinds = (
        ("precision_recall", "Precision and recall", "recall", "precision", "AP"),
        ("roc", "ROC", "false positive rate", "recall (true positive rate)", "AUC"),
    )
    for name, title, xlabel, ylabel, measure in kinds:
        score = pixel_scores.average_precision if measure == "AP" else pixel_scores.area_under_roc
        figure = _figure(5, 4.5)
        axes = figure.subplots()
        for (label, counts), colour in zip(histograms.items(), _CYCLE * 3, strict=False):
            value = score(counts)
            if value is None:
                continue
            points = pixel_scores.curve(counts)
            x, y = (points.recall, points.precision) if measure == "AP" else (points.fpr, points.recall)
            axes.plot(x, y, color=colour, label=f"{label}: {measure} {value:.3f}")
        if not axes.lines:
            axes.text(0.5, 0.5, "nothing to rank: a class is absent", ha="center", color=GREY)
        else:
            if measure == "AUC":
                axes.plot((0, 1), (0, 1), color=GREY, linestyle=":", label="chance: AUC 0.5")
            axes.legend(loc="best", fontsize=8)
        axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_title(f"{title} over the pixels of all frames", fontsize=10)
        axes.grid(color="#dddddd", linewidth=0.5)
        axes.set_axisbelow(True)
        _save(figure, folder / f"{name}.png")


def draw_heatmaps(path: Path, title: str, panels: Sequence[Panel], thresh: float) -> None:
    """Each frame's heatmap above its errors at ``thresh``."""
    figure = _figure(3.2 * len(panels) + 0.8, 6.6)
    figure.suptitle(f"{title}, heatmap and its errors at {thresh:g}", fontsize=10)
    rows = figure.subplots(2, len(panels), squeeze=False)
    for panel, top, bottom in zip(panels, *rows, strict=True):
        shown = top.imshow(panel.score, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
        top.set_title(panel.title, fontsize=7)
        top.set_facecolor(GREY)  # NaN is transparent
        bottom.imshow(_errors(panel, thresh), interpolation="nearest")
        for axes in (top, bottom):
            axes.set(xticks=[], yticks=[])
    if panels:
        bar = figure.colorbar(shown, ax=rows, shrink=0.45, anchor=(0, 1), label="score")
        bar.ax.axhline(thresh, color="white", linewidth=1.5)
    _legend(figure, (("found", GREEN), ("false", ORANGE), ("missed", BLUE), ("no data", GREY)))
    _save(figure, path)


def draw_map(path: Path, case: Case, outcome: Outcome) -> None:
    """The region with its true sites as lines and its proposals filled, coloured by what became of them."""
    from pipelines.geowatch.matching import in_metres

    figure = _figure(6, 6)
    axes = figure.subplots()
    _fill(axes, in_metres(case.region.geometry, case.crs), facecolor="none", edgecolor=GREY)
    right = {proposed for _, proposed in outcome.pairs}
    for site in case.proposals:
        wrong = site.site_id in outcome.false
        colour = GREEN if site.site_id in right else ORANGE if wrong else GREY
        _fill(axes, site.footprint, facecolor=colour, edgecolor="none", alpha=0.6)
    for site in case.truths:
        colour = BLUE if site.site_id in outcome.missed else "black"
        _fill(axes, site.footprint, facecolor="none", edgecolor=colour, linewidth=1)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set(xlabel="metres east of the centre", ylabel="metres north")
    counts = outcome.counts
    axes.set_title(f"{case.region.region_id}: {counts.tp} found, {counts.fp} false, {counts.fn} missed")
    _legend(
        figure, (("found", GREEN), ("false", ORANGE), ("excused", GREY), ("missed", BLUE), ("true", "black"))
    )
    _save(figure, path)


def _errors(panel: Panel, thresh: float) -> np.ndarray:
    """RGB uint8 (height, width, 3): white where nothing is and nothing is proposed."""
    import numpy as np
    from matplotlib.colors import to_rgb

    unknown = np.isnan(panel.score)
    proposed = ~unknown & (np.nan_to_num(panel.score) >= thresh)
    truth = panel.truth & ~unknown
    picture = np.full((*panel.score.shape, 3), 255, dtype=np.uint8)
    masks = (
        (proposed & truth, GREEN),
        (proposed & ~truth, ORANGE),
        (truth & ~proposed, BLUE),
        (unknown, GREY),
    )
    for mask, colour in masks:
        picture[mask] = np.round(np.array(to_rgb(colour)) * 255)
    return picture


def _fill(axes: Any, geometry: BaseGeometry, **style: Any) -> None:
    """Add the polygons of a geometry, holes included."""
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    for part in getattr(geometry, "geoms", [geometry]):
        if part.geom_type != "Polygon":
            continue
        rings = [
            Outline(np.asarray(ring.coords)[:, :2], closed=True) for ring in (part.exterior, *part.interiors)
        ]
        axes.add_patch(PathPatch(Outline.make_compound_path(*rings), **style))


def _figure(width: float, height: float) -> Figure:
    """Inches; not registered with pyplot, so it needs no display and no closing."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _legend(figure: Figure, entries: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for label, colour in entries]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _save(figure: Figure, path: Path) -> None:
    with program.writing(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})

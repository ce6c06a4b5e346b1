"""Program: heatmaps against annotated pixels, as ranking metrics in a JSON file and as pictures.

Reads by `scored_frames`, counts by `pixel_scores`, draws by `curves`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import program
from pipelines.geowatch import coco_files, pixel_scores
from pipelines.geowatch.pixel_scores import Histogram

if TYPE_CHECKING:
    from pipelines.geowatch.curves import Panel
    from pipelines.geowatch.scored_frames import ScoredFrame

_INTERESTING = ("Site Preparation", "Active Construction")  # the classes of interest
_PANELS = 4  # frames of a region that are drawn
_PICTURE = 400  # pixels of their longer side
Histograms = Mapping[str, Histogram]


@dataclass(frozen=True, eq=False)
class Scored:
    """The heatmaps of one kind: their frames, and region -> channel -> pixels by score."""

    channels: tuple[str, ...]
    frames: list[ScoredFrame]
    by_region: Mapping[str, Histograms]

    @property
    def everything(self) -> dict[str, Histogram]:
        """All regions together."""
        return add(self.by_region.values())


@click.command(
    epilog="\b\nExample:\n"
    "  python -m pipelines.geowatch.evaluate_pixels \\\n"
    "    --true_dataset=data.kwcoco.json \\\n"
    "    --pred_pxl_fpath=pred.kwcoco.zip --eval_fpath=pxl_eval.json"
)
@click.option("--true_dataset", required=True, help="kwcoco file with annotations.")
@click.option("--pred_pxl_fpath", required=True, help="kwcoco file with heatmaps.")
@click.option("--eval_fpath", required=True, help="JSON file to write; pictures go beside it.")
@click.option(
    "--score_space", type=click.Choice(["video"]), default="video", show_default=True, help="Pixels compared."
)
@click.option(
    "--viz_thresh",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="For the pictures alone.",
)
@click.option("--draw_curves", type=bool, default=True, show_default=True, help="Draw curves/*.png.")
@click.option("--draw_heatmaps", type=bool, default=True, show_default=True, help="Draw heatmaps/*.png.")
@click.option("--workers", type=click.IntRange(min=0), default=2, show_default=True, help="Images at a time.")
def main(
    true_dataset: str,
    pred_pxl_fpath: str,
    eval_fpath: str,
    score_space: str,
    viz_thresh: float,
    draw_curves: bool,
    draw_heatmaps: bool,
    workers: int,
) -> None:
    """Average precision and area under the ROC curve of heatmaps, over the pixels of all images.

    Saliency is scored against sites in Site Preparation or Active Construction, the phases each against
    the others; ground without annotation is No Activity. Nodata is left out. Scores fall into 1,024 bins.
    """
    from pipelines.geowatch import scored_frames

    truth, pred = (coco_files.read_dataset(path) for path in (true_dataset, pred_pxl_fpath))
    scored = []
    for channels in scored_frames.tasks(pred):
        frames = scored_frames.pair(truth, pred, channels)
        scored.append(Scored(channels, frames, count(frames, channels, workers)))
    folder = Path(eval_fpath).parent
    if draw_heatmaps:
        for one in scored:
            _draw(folder / "heatmaps", one, viz_thresh)
    if draw_curves:
        from pipelines.geowatch import curves

        curves.draw_curves(
            folder / "curves", {name: counts for one in scored for name, counts in one.everything.items()}
        )
    info = {
        "program": "pipelines.geowatch.evaluate_pixels",
        "score_space": score_space,
        "bins": pixel_scores.BINS,
    }
    program.write_json(eval_fpath, {"info": [info], "result": report(scored)})


def report(scored: Sequence[Scored]) -> dict[str, Any]:
    """Metrics of everything, of each class and of each region."""
    found: dict[str, Any] = {"metrics": {}, "classes": {}, "regions": {}}
    if not scored:  # only a crop of no sites has no images; a row without these would be no result
        found["metrics"] = dict.fromkeys(("mAP", "mAUC", "coi_mAP", "coi_mAUC"))
    for one in scored:
        found["metrics"] |= metrics(one.everything)
        found["classes"] |= {name: _facts(counts) for name, counts in one.everything.items()}
        for region, histograms in one.by_region.items():
            found["regions"].setdefault(region, {}).update(metrics(histograms))
    return found


def count(
    frames: Sequence[ScoredFrame], channels: Sequence[str], workers: int = 0
) -> dict[str, dict[str, Histogram]]:
    """Region -> channel -> its pixels by score, over all frames."""
    from tqdm import tqdm

    counted: dict[str, dict[str, Histogram]] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(lambda frame: _count(frame, channels), frames)
        for frame, some in zip(frames, tqdm(results, "evaluate", len(frames), disable=None), strict=True):
            counted[frame.video] = add([counted[frame.video], some]) if frame.video in counted else some
    return counted


def add(some: Iterable[Histograms]) -> dict[str, Histogram]:
    """The pixels of several frames or regions together."""
    total: dict[str, Histogram] = {}
    for histograms in some:
        for name, counts in histograms.items():
            total[name] = total[name] + counts if name in total else counts
    return total


def metrics(histograms: Histograms) -> dict[str, float | None]:
    """The metrics of saliency or of phases; None where no class has both kinds of pixels.

    Means are over the classes that are in the truth.
    """
    if "salient" in histograms:
        counts = histograms["salient"]
        return {
            "salient_AP": pixel_scores.average_precision(counts),
            "salient_AUC": pixel_scores.area_under_roc(counts),
        }
    interesting = {name: histograms[name] for name in _INTERESTING}
    return {
        f"{prefix}{name}": _mean([score(counts) for counts in some.values()])
        for prefix, some in (("", histograms), ("coi_", interesting))
        for name, score in (("mAP", pixel_scores.average_precision), ("mAUC", pixel_scores.area_under_roc))
    }


def _count(frame: ScoredFrame, channels: Sequence[str]) -> dict[str, Histogram]:
    """Channel -> the pixels of a frame by score."""
    from pipelines.geowatch.scored_frames import blocks

    total = {name: pixel_scores.empty() for name in channels}
    for heat, codes in blocks(frame):
        for name, scores in zip(channels, heat, strict=True):
            total[name] += pixel_scores.histogram(scores, _is_true(codes, name))
    return total


def _is_true(codes: Any, name: str) -> Any:
    """Boolean, of the shape of ``codes``."""
    import numpy as np

    from pipelines.geowatch.iarpa import PHASES

    return np.isin(codes, [PHASES.index(phase) for phase in (_INTERESTING if name == "salient" else (name,))])


def _facts(counts: Histogram) -> dict[str, float | int | None]:
    return {
        "AP": pixel_scores.average_precision(counts),
        "AUC": pixel_scores.area_under_roc(counts),
        "n_positive": counts.n_positive,
        "n_negative": counts.n_negative,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _draw(folder: Path, scored: Scored, thresh: float) -> None:
    """A picture per region of a few frames, evenly spread in time."""
    import math

    from pipelines.geowatch import curves

    kind = "salient" if len(scored.channels) == 1 else "phases"
    for region in scored.by_region:
        frames = [frame for frame in scored.frames if frame.video == region]
        step = max(1, math.ceil(len(frames) / _PANELS))
        panels = [_panel(frame) for frame in frames[step // 2 :: step]]
        curves.draw_heatmaps(folder / f"{region}_{kind}.png", f"{region}: {kind}", panels, thresh)


def _panel(frame: ScoredFrame) -> Panel:
    """The frame's score and truth of being a site, at a size to look at."""
    from pipelines.geowatch import curves, heatmaps, scored_frames

    side = max(frame.grid.width, frame.grid.height)
    small = frame.grid.at_gsd(frame.grid.gsd * max(1.0, side / _PICTURE))
    heat, codes = scored_frames.read(frame, small)
    return curves.Panel(frame.heatmap.image_name, heatmaps.foreground(heat), _is_true(codes, "salient"))


if __name__ == "__main__":
    program.run(main)

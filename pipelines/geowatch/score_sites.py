"""The program `score_sites`: how each site looks at the start and at the end of its period.

The scores themselves are in site_scores.py, what follows from them is decided by filter_sites.py.
"""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from pipelines.errors import BadInput
from pipelines.geowatch.coco_files import read_dataset
from pipelines.geowatch.site_areas import site_areas
from pipelines.program import run, write_json


@click.command()
@click.option("--crop_fpath", required=True, help="kwcoco of `crop`: a video a site, first and last frames")
@click.option("--regions", required=True, help="the site summaries (or sites) that were cropped")
@click.option("--scores_fpath", default="site_scores.json", show_default=True, help="JSON to write")
@click.option("--num_frames", default=3, show_default=True, help="frames at each end that make a composite")
def main(crop_fpath: str, regions: str, scores_fpath: str, num_frames: int) -> None:
    """Score each site: does it stand out from its surroundings at the start, at the end, in the change.

    Scores are in [0, 1] (0: like its surroundings), null where too little of a site can be seen. A
    construction has a high change_score, mostly also a high end_score; what was always there has a high
    start_score and a low change_score; a false find has low scores throughout.

    \b
    python -m pipelines.geowatch.score_sites --crop_fpath=svcrop.kwcoco.zip \\
        --regions=site_summaries_manifest.json --scores_fpath=site_scores.json
    """
    from tqdm import tqdm

    from pipelines.geowatch.site_scores import SiteScore, score_site

    if num_frames < 1:
        raise BadInput(f"--num_frames must be at least 1, not {num_frames}")
    dataset = read_dataset(crop_fpath)
    areas = site_areas(regions, dataset)
    videos = {video["name"]: video for video in dataset.index.videos.values()}
    if areas and videos and not any(area.site_id in videos for area in areas):
        raise BadInput(f"no video is a crop of a site, such as {areas[0].site_id!r}", where=crop_fpath)
    scores = {}
    for area in tqdm(areas, desc="score", file=sys.stderr, disable=None):
        score = SiteScore(area.site_id, None, None, None, (), ())
        if area.site_id in videos:
            others = [other.geometry for other in areas if other is not area]
            score = score_site(dataset, videos[area.site_id], area, others, num_frames)
        scores[area.site_id] = {key: value for key, value in asdict(score).items() if key != "site_id"}
    write_json(scores_fpath, {"type": "site_scores", "sites": scores})
    click.echo(f"wrote {scores_fpath}: {len(scores)} sites")


if __name__ == "__main__":
    run(main)

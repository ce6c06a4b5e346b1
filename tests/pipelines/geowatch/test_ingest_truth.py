"""What a site is on a day, which sites are a region's, and which date a file name has."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from pipelines.geowatch import iarpa
from pipelines.geowatch.image_files import time_in
from pipelines.geowatch.ingest_truth import on_day, sites_of

HERE, THERE = box(0, 0, 1, 1), box(5, 5, 6, 6)
PERIOD = iarpa.Site("R_0001", "R", "positive_annotated", HERE, date(2018, 3, 1), date(2019, 3, 1))
SEEN = replace(
    PERIOD,
    observations=tuple(
        iarpa.Observation(date(2018, month, 1), phase, HERE)
        for month, phase in ((4, "Site Preparation"), (5, None), (6, "Active Construction"))
    ),
)


@pytest.mark.parametrize(
    ("site", "day", "categories"),
    [
        (PERIOD, date(2018, 2, 28), ["No Activity"]),
        (PERIOD, date(2018, 3, 1), ["Active Construction"]),
        (PERIOD, date(2019, 3, 1), ["Post Construction"]),
        (replace(PERIOD, start_date=None, end_date=None), date(1999, 1, 1), ["Active Construction"]),
        (SEEN, date(2018, 3, 31), ["No Activity"]),
        (SEEN, date(2018, 4, 1), ["Site Preparation"]),
        (SEEN, date(2018, 5, 15), ["Site Preparation"]),
        (SEEN, date(2030, 1, 1), ["Active Construction"]),
        (replace(SEEN, status="positive_pending"), date(2018, 4, 1), ["ignore"]),
        (replace(SEEN, status="transient_positive"), date(2018, 4, 1), ["ignore"]),
        (replace(SEEN, status="system_confirmed"), date(2018, 4, 1), ["Site Preparation"]),
        (replace(SEEN, status="negative"), date(2018, 4, 1), []),
        (replace(SEEN, status="system_rejected"), date(2018, 4, 1), []),
    ],
)
def test_what_a_site_is_on_a_day(site, day, categories):
    assert [category for category, _ in on_day(site, day)] == categories


def test_two_parts_of_a_site_on_one_day_are_two():
    parts = tuple(
        iarpa.Observation(date(2018, 4, 1), phase, geometry)
        for phase, geometry in (("Site Preparation", HERE), ("Post Construction", THERE))
    )
    assert on_day(replace(SEEN, observations=parts), date(2018, 7, 1)) == [
        ("Site Preparation", HERE),
        ("Post Construction", THERE),
    ]


def test_which_sites_are_a_regions():
    """By id; those without a region by place; a site model goes before the summary of the same site."""
    summaries = (replace(PERIOD.summary, score=0.1), replace(PERIOD.summary, site_id="R_0002"))
    region = iarpa.Region("R", box(-1, -1, 2, 2), sites=summaries)
    others = [
        replace(PERIOD, site_id="Q_0001", region_id="Q"),
        replace(PERIOD, site_id="near", region_id=""),
        replace(PERIOD, site_id="far", region_id="", geometry=THERE),
    ]
    found = sites_of(region, [PERIOD, *others])
    assert [(site.site_id, site.region_id) for site in found] == [
        ("R_0001", "R"),
        ("R_0002", "R"),
        ("R_near", "R"),
    ]
    assert found[0].score == 1.0


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("T31UDQ_20180301T104021_B04.tif", "2018-03-01T10:40:21+00:00"),
        ("LC08_L1TP_034032_20160805_20160808_01_T1_B4.TIF", "2016-08-05T00:00:00+00:00"),
        ("20180301_101112_1023_3B.tif", "2018-03-01T10:11:12+00:00"),
        ("2018-03-01_red.tif", "2018-03-01T00:00:00+00:00"),
        ("S2_20180301T996021.tif", "2018-03-01T00:00:00+00:00"),
        ("a_20180231_20180302.tif", "2018-03-02T00:00:00+00:00"),
        ("034032_120180301.tif", None),
        ("20181301.tif", None),
        ("scene.tif", None),
    ],
)
def test_the_date_in_a_file_name(name, taken):
    found = time_in(name)
    assert (found.isoformat() if found else None) == taken


@given(moment=st.datetimes(), sensor=st.sampled_from(["S2", "PD", "LC08"]))
def test_any_moment_is_read_from_a_name(moment, sensor):
    moment = moment.replace(year=1950 + moment.year % 100, day=min(moment.day, 28), microsecond=0)
    found = time_in(f"{sensor}_{moment:%Y%m%dT%H%M%S}_x.tif")
    assert found is not None and found.replace(tzinfo=None) == moment

"""What an IARPA region model and a site model say, as plain values.

Their files are read and written in `iarpa.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
ORIGINATOR = "kwdag"


@dataclass(frozen=True)
class SiteSummary:
    """One site in a region model; geometry in longitude and latitude; score in 0..1."""

    site_id: str
    status: str
    geometry: BaseGeometry
    start_date: date | None = None
    end_date: date | None = None
    score: float = 1.0
    originator: str = ORIGINATOR


@dataclass(frozen=True)
class Region:
    """A region model; geometry in longitude and latitude; sites sorted by id."""

    region_id: str
    geometry: BaseGeometry
    start_date: date | None = None
    end_date: date | None = None
    mgrs: str = ""
    sites: tuple[SiteSummary, ...] = ()


@dataclass(frozen=True)
class Observation:
    """One site in one image; phase is one of `PHASES` or None where nobody knows."""

    date: date | None
    phase: str | None
    geometry: BaseGeometry
    source: str | None = None
    sensor_name: str | None = None
    score: float = 1.0
    is_occluded: bool | None = None
    is_site_boundary: bool | None = None


@dataclass(frozen=True)
class Site:
    """A site model; geometry in longitude and latitude; observations by date, undated ones first."""

    site_id: str
    region_id: str
    status: str
    geometry: BaseGeometry
    start_date: date | None = None
    end_date: date | None = None
    score: float = 1.0
    observations: tuple[Observation, ...] = ()
    mgrs: str = ""
    originator: str = ORIGINATOR

    @property
    def summary(self) -> SiteSummary:
        """What a region model says of this site."""
        return SiteSummary(
            self.site_id,
            self.status,
            self.geometry,
            self.start_date,
            self.end_date,
            self.score,
            self.originator,
        )

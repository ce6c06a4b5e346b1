"""What the sky does over a station: the sun's height, the season, snow, ice, fog, rain and clouds.

How that looks in a picture is scene.py's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.fpe.hydrograph import Hydrograph

_YEAR = 365.25 * 86400
_WINTER = 15 * 86400  # seconds from 1 January to the coldest day of the north


@dataclass(frozen=True)
class Sky:
    """The conditions of one picture."""

    sun: float  # degrees above the horizon
    phase: float  # season, 0 to 1 from the middle of winter
    snow: float  # how much of the banks is white, 0 to 1
    ice: float  # how much of the still water is frozen, 0 to 1
    fog: float  # 0 to 1
    rain: float  # 0 to 1
    cloud: float  # 0 clear to 1 overcast


def sun_elevation(times: np.ndarray, latitude: float, longitude: float) -> np.ndarray:
    """The sun's height in degrees at ``times`` (epoch seconds); negative below the horizon.

    Mean longitude and anomaly of the Astronomical Almanac's low-precision formula, good to 0.01 degrees.

    >>> noon = 1663789020.0  # 2022-09-21 19:37 UTC, solar noon in Boise
    >>> round(float(sun_elevation(np.array(noon), 43.7, -116.1)))
    47
    """
    day = np.asarray(times) / 86400 - 10957.5  # since 2000-01-01 12:00 UTC
    mean_longitude, anomaly = np.radians(280.460 + 0.9856474 * day), np.radians(357.528 + 0.9856003 * day)
    ecliptic = mean_longitude + np.radians(1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.radians(23.439 - 4e-7 * day)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    sidereal = np.radians(280.46062 + 360.98564737 * day + longitude)
    here = np.radians(latitude)
    height = np.sin(here) * np.sin(declination)
    height = height + np.cos(here) * np.cos(declination) * np.cos(sidereal - ascension)
    return np.degrees(np.arcsin(height))


def season(times: np.ndarray, latitude: float) -> np.ndarray:
    """The season at ``times`` (epoch seconds): 0 to 1 from the middle of winter to the next."""
    new_year = np.asarray(times).astype("datetime64[s]").astype("datetime64[Y]").astype("datetime64[s]")
    turned = (np.asarray(times) - new_year.astype(float) - _WINTER) / _YEAR
    return (turned + (0.5 if latitude < 0 else 0)) % 1


def skies(
    rng: np.random.Generator, times: np.ndarray, latitude: float, longitude: float, curve: Hydrograph
) -> list[Sky]:
    """The conditions at each of ``times`` (epoch seconds, ascending)."""
    days = ((times - times[0]) // 86400).astype(int)
    count = int(days[-1]) + 1
    phase, sun = season(times, latitude), sun_elevation(times, latitude, longitude)
    cold = _temperature(rng, season(times[0] + 86400.0 * np.arange(count), latitude))
    snow, foggy, cloudy = _snow(rng, cold), rng.random(count) < 0.15, rng.uniform(0, 1, count)
    wet = curve.raining(times)
    fog = foggy[days] * np.clip(1 - (sun - 5) / 18, 0, 1) * rng.uniform(0.4, 0.9, count)[days]
    cloud = np.clip(cloudy[days] + rng.normal(0, 0.15, len(times)) + 0.7 * wet, 0, 1)
    ice = np.clip(-cold / 6, 0, 1)[days]
    columns = (sun, phase, snow[days], ice, fog, wet * rng.uniform(0.3, 1, len(times)), cloud)
    return [Sky(*map(float, row)) for row in zip(*columns, strict=True)]


def _temperature(rng: np.random.Generator, phase: np.ndarray) -> np.ndarray:
    """Daily means in degrees Celsius; a cold spell lasts some days."""
    noise = np.convolve(rng.normal(0, 1, len(phase) + 3), [1, 0.8, 0.6, 0.4], mode="valid")
    return 10 - 11 * np.cos(2 * np.pi * phase) + 3.0 * noise


def _snow(rng: np.random.Generator, temperature: np.ndarray) -> np.ndarray:
    """Cover by day: it falls below freezing, and melts with every degree above."""
    cover, falls = np.zeros(len(temperature)), rng.random(len(temperature)) < 0.3
    depth = 0.0
    for day, degrees in enumerate(temperature):
        depth = min(1.0, depth + 0.7) if degrees < 0 and falls[day] else depth
        depth = max(0.0, depth - 0.02 - 0.08 * max(degrees, 0.0))
        cover[day] = depth
    return cover

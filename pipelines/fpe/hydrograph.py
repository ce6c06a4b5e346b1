"""The flow of a stream over time: a base flow with its season, and storms that rise fast and recede slowly.

How high the water then stands in a picture is scene.py's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEP = 900  # seconds between two points of the curve, as gauges report
_DAYS_BETWEEN_STORMS = 3.5
_REGULAR = (
    6.0  # shape of the gamma distribution of these days: fronts follow each other, but not by the clock
)
_FULL = 250.0  # cubic feet per second at which the water fills the picture's channel
_EXPONENT = 0.4  # of a wide channel's rating curve: Manning's equation has 3/5, natural banks less


@dataclass(frozen=True)
class Storm:
    start: float  # epoch seconds
    rise: float  # seconds from the first rain to the peak
    peak: float  # cubic feet per second above base flow
    recession: float  # seconds in which what is left falls to 1/e

    def flow(self, times: np.ndarray) -> np.ndarray:
        """What this storm adds at ``times`` (epoch seconds), in cubic feet per second."""
        since = times - self.start
        rising = np.clip(since / self.rise, 0, 1)
        return self.peak * rising * np.exp(-np.clip(since - self.rise, 0, None) / self.recession)


@dataclass(frozen=True)
class Hydrograph:
    """Flow in cubic feet per second at ``times`` (epoch seconds, STEP apart), and the storms in it."""

    times: np.ndarray
    flow: np.ndarray
    storms: tuple[Storm, ...]

    def at(self, times: np.ndarray) -> np.ndarray:
        """Flow at ``times`` (epoch seconds), linear between the points."""
        return np.interp(times, self.times, self.flow)

    def raining(self, times: np.ndarray) -> np.ndarray:
        """Where it rains (bool): from a storm's start to its peak."""
        wet = np.zeros(np.shape(times), dtype=bool)
        for storm in self.storms:
            wet |= (times >= storm.start) & (times < storm.start + storm.rise)
        return wet


def hydrograph(rng: np.random.Generator, start: float, days: int, phase: float) -> Hydrograph:
    """The flow of ``days`` from ``start`` (epoch seconds).

    Args:
        phase: the season at the start, 0 to 1 from the middle of winter; base flow is highest in spring.
    """
    times = start + np.arange(0, days * 86400 + 1, STEP, dtype=float)
    season = 2 * np.pi * ((times - start) / (365.25 * 86400) + phase - 0.25)
    base = rng.uniform(4, 7) * np.exp(0.5 * np.cos(season))
    storms = _storms(rng, start, days)
    flow = base + sum(storm.flow(times) for storm in storms)
    return Hydrograph(times, flow, storms)


def _storms(rng: np.random.Generator, start: float, days: int) -> tuple[Storm, ...]:
    # From a week before, so that the first day has a past, too.
    between = rng.gamma(_REGULAR, _DAYS_BETWEEN_STORMS / _REGULAR, 3 * (days + 7))
    starts = np.cumsum(between) - between[0] * rng.random() - 7
    return tuple(
        Storm(
            start=start + 86400 * day,
            rise=3600 * rng.uniform(3, 14),
            peak=float(np.clip(50 * rng.lognormal(0, 0.6), 8, 110)),
            recession=86400 * rng.uniform(1.2, 2.2),
        )
        for day in starts[starts < days]
    )


def stage(flow: np.ndarray) -> np.ndarray:
    """How high the water stands, 0 for a dry bed to 1 for a full channel: a power law, as rating curves are.

    >>> float(stage(np.array(250.0))), round(float(stage(np.array(8.0))), 2)
    (1.0, 0.25)
    """
    return np.clip(np.asarray(flow) / _FULL, 0, None) ** _EXPONENT


def observed(
    rng: np.random.Generator, curve: Hydrograph, days_between_gaps: float = 15.0
) -> list[tuple[float, float | None]]:
    """What a gauge reports of ``curve``: (epoch seconds, cubic feet per second or None), in order.

    With 3 percent of error, single values missing, outages of hours to days, and some times reported twice.
    """
    n = len(curve.times)
    values = curve.flow * np.exp(rng.normal(0, 0.03, n))
    there = rng.random(n) > 0.01
    for _ in range(max(1, round(n * STEP / 86400 / days_between_gaps))):
        first = rng.integers(0, n)
        there[first : first + int(3600 * rng.uniform(3, 48) / STEP)] = False
    again, lost = rng.random(n) < 0.003, rng.random(n) < 0.003
    rows: list[tuple[float, float | None]] = []
    for index in np.flatnonzero(there):
        value = round(float(values[index]), 3)
        rows.append((float(curve.times[index]), None if lost[index] else value))
        if again[index]:
            rows.append((float(curve.times[index]), round(value * 1.02, 3)))
    return rows

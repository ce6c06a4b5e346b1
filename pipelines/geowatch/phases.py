"""The phase of a site on each date, from class scores over time.

Where the scores come from, and what is written of the phases, does not belong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.geowatch.iarpa import PHASES

if TYPE_CHECKING:
    import numpy as np

#: Those in which a site is one.
ACTIVE = PHASES[1:3]  # PHASES are in the order in which a site goes through them

_STAY = 0.8  # three changes in the fifteen or so clear views of a site
_SKIP = 0.2  # each phase that is passed over is this much less likely than stopping one before


def phases_of(scores: np.ndarray, smoothing: int = 0, use_viterbi: bool = False) -> list[str]:
    """The phase of each frame.

    Args:
        scores: (time, 4) in the order of PHASES, not negative; a row of NaN is a frame without data.
        smoothing: frames of a centred moving average that goes over the scores first; 0 or 1: none.
        use_viterbi: the likeliest sequence that never goes back, instead of each frame's highest score.
    """
    import numpy as np

    likelihood = smoothed(normalised(scores), max(1, smoothing))
    path = viterbi(likelihood, transitions(len(PHASES))) if use_viterbi else np.argmax(likelihood, axis=1)
    return [PHASES[state] for state in path]


def normalised(scores: np.ndarray) -> np.ndarray:
    """Rows that sum to 1; a row without data or without any score is uniform: it says nothing."""
    import numpy as np

    known = np.nan_to_num(np.asarray(scores, np.float64), nan=0.0).clip(min=0)
    total = known.sum(axis=1, keepdims=True)
    return np.where(total > 0, known / np.where(total > 0, total, 1), 1 / known.shape[1])


def smoothed(rows: np.ndarray, size: int) -> np.ndarray:
    """A centred moving average over ``size`` rows; at the ends over those that there are."""
    import numpy as np

    before, after = (size - 1) // 2, size // 2
    means = [rows[max(0, i - before) : i + after + 1].mean(axis=0) for i in range(len(rows))]
    return np.stack(means) if means else rows


def transitions(states: int) -> np.ndarray:
    """(from, to) probabilities of an order that is never left backwards; the last state stays."""
    import numpy as np

    steps = np.arange(states)[None, :] - np.arange(states)[:, None]
    ahead = np.where(steps > 0, _SKIP ** np.clip(steps - 1, 0, None).astype(float), 0.0)
    total = ahead.sum(axis=1, keepdims=True)
    ahead *= np.where(total > 0, (1 - _STAY) / np.where(total > 0, total, 1), 0)
    return ahead + np.diag(np.where(total[:, 0] > 0, _STAY, 1.0))


def viterbi(likelihood: np.ndarray, transition: np.ndarray) -> list[int]:
    """The sequence of states with the highest product of likelihoods and transitions (Viterbi 1967).

    Args:
        likelihood: (time, states); the first state is free (uniform prior).
        transition: (from, to).
    """
    import numpy as np

    with np.errstate(divide="ignore"):
        # A likelihood of 0 from a saturated model must not forbid a state: only a transition can.
        emission = np.log(np.clip(likelihood, 1e-12, None))
        step = np.log(transition)
    if not len(emission):
        return []
    best, came_from = emission[0], []
    for row in emission[1:]:
        through = best[:, None] + step
        came_from.append(np.argmax(through, axis=0))
        best = through.max(axis=0) + row
    path = [int(np.argmax(best))]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return path[::-1]


def phases_without_classes(frames: int) -> list[str]:
    """Phases of a site of which only saliency is known: prepared on the first frame, then built on.

    The heuristic of the reference for scoring BAS on phases.
    """
    return [ACTIVE[0] if frame == 0 else ACTIVE[1] for frame in range(frames)]


def active_score(scores: np.ndarray) -> np.ndarray:
    """How much of a site a frame is: the sum over the phases in ACTIVE of scores (..., 4)."""
    columns = [PHASES.index(phase) for phase in ACTIVE]
    return scores[..., columns].sum(axis=-1)

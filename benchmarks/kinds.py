"""Kinds of tasks by how long they take, and a fleet that mixes three of them."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """Tasks of one api_path; ``draw`` gives the seconds that one takes."""

    name: str
    draw: Callable[[random.Random], float]


def _lognormal(median_s: float, sigma: float) -> Callable[[random.Random], float]:
    return lambda rng: rng.lognormvariate(math.log(median_s), sigma)


def _two_peaks(rng: random.Random) -> float:
    """Most take 12 s; three of ten go another way and take 75 s."""
    return rng.lognormvariate(math.log(12 if rng.random() < 0.7 else 75), 0.25)


def _heavy_tail(rng: random.Random) -> float:
    return 10 * rng.paretovariate(1.5)


def scaled(kind: Kind, factor: float) -> Kind:
    """Return the same kind on a provider that takes ``factor`` times as long."""
    return Kind(kind.name, lambda rng: kind.draw(rng) * factor)


IMAGE = Kind("image 15 s", _lognormal(15, 0.35))
VIDEO = Kind("video 90 s", _lognormal(90, 0.4))
LONG_VIDEO = Kind("video 300 s", _lognormal(300, 0.4))
KINDS = (
    IMAGE,
    Kind("image 20 s, wide", _lognormal(20, 0.6)),
    VIDEO,
    LONG_VIDEO,
    Kind("two peaks, 12 s and 75 s", _two_peaks),
    Kind("heavy tail from 10 s", _heavy_tail),
)
FLEET = ((IMAGE, 0.5), (VIDEO, 0.3), (LONG_VIDEO, 0.2))

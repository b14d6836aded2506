"""A soak fails on drift, and on nothing else."""

import pytest

from tests.soak.gauges import Gauges


def steady() -> Gauges:
    """Eight minutes in which nothing grows, after a start that does."""
    n = 480
    return Gauges(
        memory_mib=[40 + min(i, 100) / 5 + i % 3 for i in range(n)],
        descriptors=[30 + i % 9 for i in range(n)],
        log_mib=[4.0] * n,
        health_s=[0.004] * n,
        late_s=[0.3] * n,
    )


def test_what_is_steady_after_its_start_has_no_drift() -> None:
    """Growth in the first quarter is that of caches."""
    assert steady().drifts() == []
    assert len(steady().report()) == 5


@pytest.mark.parametrize(
    ("gauge", "slope", "word"),
    [
        ("memory_mib", 0.06, "memory"),
        ("descriptors", 0.2, "descriptors"),
        ("log_mib", 0.3, "log"),
        ("health_s", 0.002, "healthz"),
        ("late_s", 0.01, "later"),
    ],
)
def test_what_grows_is_named(gauge: str, slope: float, word: str) -> None:
    """Each by itself, slow as it is."""
    gauges = steady()
    setattr(gauges, gauge, [value + slope * i for i, value in enumerate(getattr(gauges, gauge))])
    (drift,) = gauges.drifts()
    assert word in drift

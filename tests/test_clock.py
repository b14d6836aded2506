"""The real clock flows from the wall time at start and follows a step only when told to."""

import time
from pathlib import Path

import pytest

from notifier import clock
from notifier.clock import SystemClock, boot_id, elapsed_ms, wall_ms
from notifier.core.formats.retry_after import parse_retry_after
from notifier.core.formats.times import format_instant, parse_instant
from notifier.ports import Clock, HttpClient
from tests.fakes import NOON, FakeClock, FakeWire

HOUR = 3_600_000


class Machine:
    """A wall clock that can be set and an elapsed time that only flows."""

    def __init__(self) -> None:
        self.wall = NOON
        self.elapsed = 5_000

    def flow(self, ms: int) -> None:
        self.wall += ms
        self.elapsed += ms

    def clock(self, anchor: int | None = None) -> SystemClock:
        return SystemClock(anchor, wall=lambda: self.wall, elapsed=lambda: self.elapsed)


def test_the_clock_starts_at_the_wall_time_and_flows_with_it() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now() == NOON
    machine.flow(1_234)
    assert (clock.now(), clock.drift_ms()) == (NOON + 1_234, 0)


def test_a_stepped_wall_clock_changes_nothing_until_it_is_adopted() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.monotonic()
    for step in (HOUR, -2 * HOUR):
        machine.wall += step
        assert (clock.now(), clock.drift_ms()) == (machine.wall - step, step)
        clock.adopt(clock.drift_ms())
        assert (clock.now(), clock.drift_ms()) == (machine.wall, 0)
    assert clock.monotonic() == before


def test_a_suspended_hour_counts_as_an_hour() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.flow(8 * HOUR)  # BOOTTIME flows while the machine sleeps, as the wall clock does
    assert (clock.now(), clock.drift_ms()) == (NOON + 8 * HOUR, 0)


def test_the_clock_goes_on_from_its_anchor_whatever_the_wall_says() -> None:
    """The wall was set back by an hour while nobody ran: that is a step to follow."""
    machine = Machine()
    clock = machine.clock(anchor=NOON + HOUR - machine.elapsed)
    assert (clock.now(), clock.drift_ms()) == (NOON + HOUR, -HOUR)
    machine.flow(7)
    assert (clock.now(), clock.drift_ms()) == (NOON + HOUR + 7, -HOUR)


def test_a_boot_of_the_machine_has_a_number_that_the_store_can_hold() -> None:
    """The same at each question; where the system tells none, None."""
    number = boot_id()
    assert number == boot_id()
    assert number is None or 0 <= number < 2**63


def test_this_machines_clock_is_the_real_one() -> None:
    earliest, began = wall_ms(), elapsed_ms()
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert earliest - 1 <= first <= second <= wall_ms() + 1
    assert began / 1_000 <= clock.monotonic() <= elapsed_ms() / 1_000
    assert abs(clock.drift_ms()) < 1_000


def test_the_real_and_the_fake_ones_fit_the_ports() -> None:
    clocks: list[Clock] = [SystemClock(), FakeClock()]
    wires: list[HttpClient] = [FakeWire()]
    assert clocks
    assert wires


def test_the_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock(NOON)
    assert (clock.advance(50), clock.monotonic()) == (NOON + 50, 0.05)
    clock.step(-HOUR)
    assert (clock.now(), clock.monotonic()) == (NOON + 50 - HOUR, 0.05)


@pytest.mark.fault(38)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "EST5EDT"])
def test_the_zone_of_the_machine_means_nothing(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """Instants count from the epoch and are written in UTC, in the hour that comes twice too."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        twice = 1_792_890_000_000  # 2026-10-25T01:00:00Z, when Berlin's clocks go back
        assert format_instant(twice) == "2026-10-25T01:00:00.000Z"
        assert parse_instant("2026-10-25T01:00:00Z") == twice
        assert parse_retry_after("Sun, 25 Oct 2026 01:00:05 GMT", now=twice, cap_ms=HOUR) == 5_000
        assert abs(wall_ms() - time.time() * 1_000) < 60_000
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.fault(136)
def test_the_boot_is_known_where_its_file_is_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The unit passes it; both sources are one number. Nonsense is no boot."""
    text = "8f2b5e0c-6d1a-4c3e-9b7a-0123456789ab"
    (tmp_path / "boot_id").write_text(f"{text}\n")
    monkeypatch.setattr(clock, "_BOOT_ID_FILE", tmp_path / "boot_id")
    from_file = boot_id({})
    (tmp_path / "boot_id").unlink()
    assert from_file is not None
    assert boot_id({"BOOT_ID": text.replace("-", "")}) == from_file
    assert boot_id({}) is boot_id({"BOOT_ID": "%b"}) is None

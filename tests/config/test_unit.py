"""The systemd unit starts what there is, by names that exist. (It is run for real elsewhere.)"""

import re
import shlex
from pathlib import Path

import pytest

from notifier.config.load import load
from notifier.core.secret import Secret
from notifier.outbound.resolver import MAX_THREADS

UNIT = (Path(__file__).parents[2] / "systemd" / "notifier.service").read_text()


def values(directive: str) -> list[str]:
    return re.findall(rf"^{directive}=(.*)$", UNIT, re.MULTILINE)


def test_the_unit_starts_the_daemon_and_waits_for_its_word() -> None:
    [start] = values("ExecStart")
    [reload] = values("ExecReload")
    assert start.split()[0].endswith("/bin/notifier")
    assert (start.split()[1:], reload.split()) == (["run"], [start.split()[0], "reload"])
    assert values("Type") == ["notify"]  # notify-reload is unknown to systemd 252
    assert "78" in values("RestartPreventExitStatus")[0].split()


def test_the_variables_and_credentials_of_the_unit_are_understood(tmp_path: Path) -> None:
    credentials = [value.partition(":")[0] for value in values("LoadCredential")]
    for name in credentials:
        (tmp_path / name).write_text(f"value-of-{name}\n")
        (tmp_path / name).chmod(0o400)
    environ = dict(pair.split("=", 1) for value in values("Environment") for pair in shlex.split(value))
    config = load(None, {**environ, "CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert config.providers["mulerouter"].api_key == Secret("value-of-mulerouter-api-key")
    assert credentials == re.findall(r'credential = "([^"]+)"', " ".join(environ.values()))


def test_the_database_lies_in_the_folder_that_is_kept() -> None:
    [directory] = values("StateDirectory")
    assert values("WorkingDirectory") == [f"%S/{directory}"]
    assert not Path(load(None, {}).store.url).is_absolute()


@pytest.mark.fault(75)
def test_the_unit_leaves_room_for_the_lookups_of_both_clients() -> None:
    """Else names that hang take the last thread, and the good ones, that threads are kept for, find none."""
    [most] = values("TasksMax")
    spare = 64  # the loop, the database, a pool of threads, lookups of a client that a reload retired
    assert int(most) >= 2 * MAX_THREADS + spare


SELF_EVIDENT = {"Description", "WantedBy", "RestartSec", "Restart", "StartLimitBurst", "ExecStart"}


@pytest.mark.threat(18)
@pytest.mark.parametrize("group", re.split(r"\n(?=\[|# -- )", UNIT)[1:])
def test_every_group_of_directives_gives_its_reason(group: str) -> None:
    """Each restriction of the unit says what it is for."""
    directives = [line for line in group.splitlines() if re.match(r"[A-Z]\w*=", line)]
    named = {line.partition("=")[0] for line in directives}
    assert not directives or "# " in group or named <= SELF_EVIDENT

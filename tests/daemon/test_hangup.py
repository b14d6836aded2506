"""A reload by signal is answered: with the faults, or with none, or in words that nobody answered."""

import os
import signal
from pathlib import Path

import pytest

from notifier.daemon import reload_mailbox

FAULT = "config.toml:2: log.levle: unknown key"


def environ(folder: Path) -> dict[str, str]:
    return {"MAINPID": str(os.getpid()), "RUNTIME_DIRECTORY": str(folder)}


@pytest.mark.parametrize("faults", [(), (FAULT, FAULT)])
def test_the_one_who_asks_gets_the_faults(tmp_path: Path, faults: tuple[str, ...]) -> None:
    """The signal goes to the daemon, the answer comes back, and nothing is left in the folder."""
    sent: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))
        reload_mailbox.report_reload(faults, environ(tmp_path))

    assert reload_mailbox.request_reload(environ(tmp_path), kill=kill) == faults
    assert sent == [(os.getpid(), signal.SIGHUP)]
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_does_not_come_is_told(tmp_path: Path) -> None:
    """69, naming the process; the reload counts as failed."""
    with pytest.raises(reload_mailbox.ReloadUnanswered, match=f"process {os.getpid()}.*has not responded"):
        reload_mailbox.request_reload(environ(tmp_path), kill=lambda *_: None, timeout_s=0.01)
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_is_gone_is_told(tmp_path: Path) -> None:
    """At once."""

    def kill(_pid: int, _number: int) -> None:
        raise ProcessLookupError(3, "No such process")

    with pytest.raises(reload_mailbox.ReloadUnanswered, match="No such process"):
        reload_mailbox.request_reload(environ(tmp_path), kill=kill)


def test_a_folder_that_is_gone_is_told_in_words(tmp_path: Path) -> None:
    """The service's runtime directory: no answer can come without it, and nobody is asked."""
    with pytest.raises(reload_mailbox.ReloadUnanswered, match="No such file") as told:
        reload_mailbox.request_reload(environ(tmp_path / "gone"), kill=lambda *_: pytest.fail("asked"))
    assert str(tmp_path / "gone") in told.value.fix


def test_more_faults_than_a_datagram_holds_are_cut(tmp_path: Path) -> None:
    """An answer comes in any case."""

    def kill(_pid: int, _number: int) -> None:
        reload_mailbox.report_reload([FAULT] * 10_000, environ(tmp_path))

    assert set(reload_mailbox.request_reload(environ(tmp_path), kill=kill)) == {FAULT}


def test_a_fault_that_no_datagram_holds_is_cut_and_not_left_out(tmp_path: Path) -> None:
    """An answer without a fault is a success."""

    def kill(_pid: int, _number: int) -> None:
        reload_mailbox.report_reload(["\N{OLD ITALIC LETTER A}" * 70_000], environ(tmp_path))

    (told,) = reload_mailbox.request_reload(environ(tmp_path), kill=kill)
    assert told.startswith("\N{OLD ITALIC LETTER A}" * 100)


def test_who_has_gone_does_not_keep_others_from_their_answer(tmp_path: Path) -> None:
    """A socket that a dead process left, and a file that is none."""
    (tmp_path / "reload-1").touch()
    assert (
        reload_mailbox.request_reload(
            environ(tmp_path), kill=lambda *_: reload_mailbox.report_reload((), environ(tmp_path))
        )
        == ()
    )


def test_only_a_reload_by_systemd_asks_so(tmp_path: Path) -> None:
    """A person's command goes over the API."""
    assert reload_mailbox.is_exec_reload(environ(tmp_path))
    assert not reload_mailbox.is_exec_reload({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert not reload_mailbox.is_exec_reload({"MAINPID": "1"})
    reload_mailbox.report_reload((FAULT,), {})  # without systemd: nobody to answer

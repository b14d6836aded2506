"""Start, hang, crash, reload and stop of the service under a running systemd."""

import pytest

from tests.systemd.installation import PLACE
from tests.systemd.service import CONFIG, KEY_FILE, STATE, Service

GO = "/run/notifier/go"
WAITS = f"import os, time\nwhile not os.path.exists('{GO}'): time.sleep(0.02)\n"
BUSY = f"""
import pathlib, time
from notifier.daemon import sdnotify

def reloading(*, reloading=sdnotify.report_reloading):
    pathlib.Path('{STATE}/began').touch()
    while not pathlib.Path('{GO}').exists():
        time.sleep(0.02)
    return reloading()

sdnotify.report_reloading = reloading
"""
HANGS = """
import signal, time

def planted_hang(*_):
    time.sleep(600)

def hang_the_writer(*_):
    from notifier.store.sqlite import writer
    writer.run_batch = planted_hang

signal.signal(signal.SIGUSR1, planted_hang)
signal.signal(signal.SIGUSR2, hang_the_writer)
"""


def test_the_service_is_active_only_when_its_api_answers(service: Service) -> None:
    """`systemctl start` waits for READY=1; what is ordered after the service finds it working."""
    service.plant(WAITS)
    starting = service.begin("start")
    service.until(lambda: service.pid != "0", "a process")
    assert service.is_(ActiveState="activating")
    assert starting.poll() is None
    service.box.write(GO, "")
    assert starting.wait() == 0
    assert service.is_(ActiveState="active")
    assert service.call("GET", "/readyz")[0] == 200


def test_a_start_that_never_gets_ready_fails(service: Service) -> None:
    """It is no service that looks alive and is not."""
    service.plant(WAITS)
    service.drop_in("[Service]\nTimeoutStartSec=1s\nRestart=no\n")
    assert service.systemctl("start", check=False) == 1
    assert service.is_(ActiveState="failed", Result="timeout")


def test_the_status_says_what_is_watched_and_what_waits(service: Service) -> None:
    """`systemctl status` shows it in words, and keeps it current."""
    service.systemctl("start")
    assert service.show("StatusText")["StatusText"].startswith("ready on http://127.0.0.1:8484")
    service.register("a-task")
    service.until(lambda: "watching 1 task;" in service.show("StatusText")["StatusText"], "the watch")
    service.peer.takes.clear()
    service.peer.finished.add("a-task")
    service.until(
        lambda: "1 callback waiting since" in service.show("StatusText")["StatusText"], "the callback"
    )


@pytest.mark.fault(12, 13)
@pytest.mark.parametrize(
    ("signal", "place"),
    [
        pytest.param("SIGUSR1", "in planted_hang", id="the loop hangs"),
        pytest.param("SIGUSR2", "in planted_hang", id="the writer hangs"),
        pytest.param("SIGSTOP", "in run", id="the process is stopped"),
    ],
)
def test_a_hang_is_restarted_and_leaves_its_stack_in_the_journal(
    service: Service, signal: str, place: str
) -> None:
    """The watchdog is fed by ticks and commits alone, so none of these goes unnoticed."""
    service.plant(HANGS)
    service.systemctl("start")
    pid = service.pid
    service.signal(signal)
    service.until(lambda: service.is_(NRestarts="1", ActiveState="active"), "a restart by the watchdog")
    assert service.pid != pid
    said = service.said()
    assert "with result 'watchdog'" in said
    assert "Fatal Python error: Aborted" in said
    assert place in said
    assert service.call("GET", "/readyz")[0] == 200


def test_a_working_daemon_is_left_alone_by_the_watchdog(service: Service) -> None:
    """Idle, it feeds it again and again."""
    service.systemctl("start")
    fed: set[str] = set()

    def is_fed_often() -> bool:
        fed.add(service.show("WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"])
        return len(fed) > 6  # at half of WatchdogSec and more often: longer than that in all

    service.until(is_fed_often, "the watchdog fed")
    assert service.is_(NRestarts="0", ActiveState="active")


def test_after_kill_9_it_comes_back_with_nothing_lost(service: Service) -> None:
    """Every registration that was answered 201 is told, those whose callback was under way too."""
    service.systemctl("start")
    tasks = [f"task-{n}" for n in range(20)]
    service.peer.takes.clear()
    service.peer.finished.update(tasks[:10])
    service.register(*tasks)
    service.until(lambda: service.peer.asked >= 1, "a callback under way")
    pid = service.pid
    service.signal("SIGKILL")
    service.until(lambda: service.is_(NRestarts="1", ActiveState="active"), "a restart")
    assert service.pid != pid
    service.peer.finished.update(tasks)
    service.peer.takes.set()
    service.until(lambda: set(service.peer.told) == set(tasks), "all callbacks")


def test_a_reload_returns_when_the_new_configuration_holds(service: Service) -> None:
    """However busy the daemon is when it is asked; the process stays the same."""
    service.plant(BUSY)
    service.systemctl("start")
    pid = service.pid
    service.box.write(CONFIG, '[log]\nlevel = "debug"\n')
    reloading = service.begin("reload")
    service.until(lambda: service.has_file(f"{STATE}/began"), "the reload begun")
    service.box.run(f"{PLACE}/bin/notifier", "version")  # as long as a command takes that waits for nothing
    assert service.is_(ActiveState="reloading")
    assert reloading.poll() is None
    service.box.write(GO, "")
    assert reloading.wait() == 0
    assert service.has_logged("config.reloaded")
    assert service.is_(ActiveState="active", MainPID=pid)


def test_a_reload_of_a_bad_configuration_fails_and_the_old_one_holds(service: Service) -> None:
    """`systemctl reload` ends with an error, the journal names file, line and key, the service goes on."""
    service.systemctl("start")
    pid = service.pid
    service.box.write(CONFIG, '[log]\nlevle = "debug"\n')
    assert service.systemctl("reload", check=False) != 0
    assert f"{CONFIG}:2: log.levle" in service.said()
    assert service.is_(ActiveState="active", MainPID=pid, NRestarts="0")
    assert service.call("GET", "/readyz")[0] == 200


def test_a_stop_lets_the_delivery_under_way_end(service: Service) -> None:
    """The receiver's answer is waited for and kept: it will not be called again."""
    service.systemctl("start")
    service.peer.takes.clear()
    service.peer.finished.add("a-task")
    service.register("a-task")
    service.until(lambda: service.peer.asked == 1, "a callback under way")
    stopping = service.begin("stop")
    service.until(lambda: service.is_(StatusText="finishing running requests"), "the stop begun")
    service.peer.takes.set()
    assert stopping.wait() == 0
    assert service.is_(ActiveState="inactive", Result="success")
    assert service.rows("SELECT state FROM deliveries") == [["delivered"]]


def test_a_bad_configuration_at_the_start_is_not_tried_again(service: Service) -> None:
    """Exit 78 mends itself by nothing but the operator, who finds the fault among the errors."""
    service.box.write(CONFIG, '[log]\nlevle = "debug"\n')
    assert service.systemctl("start", check=False) == 1
    assert service.is_(ActiveState="failed", ExecMainStatus="78", NRestarts="0")
    assert any(f"{CONFIG}:2: log.levle" in record["MESSAGE"] for record in service.records("-p", "err"))


def test_a_missing_credential_is_not_tried_again(service: Service) -> None:
    """systemd itself ends the start with 243; the file will not come by waiting."""
    service.box.run("rm", KEY_FILE)
    assert service.systemctl("start", check=False) == 1
    assert service.is_(ActiveState="failed", ExecMainStatus="243", NRestarts="0")

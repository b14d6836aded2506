"""What a break-in into the daemon could do: tried from inside the service's own sandbox."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.systemd.box import Box
from tests.systemd.installation import PLACE
from tests.systemd.peers import Peer
from tests.systemd.service import SERVICE, SOCKET, STATE, UNITS, Service

PROBE = Path(__file__).with_name("probe.py")
OWN = ["/var/lib/notifier", "/run/notifier", "/tmp", "/var/tmp", "/dev/shm"]
CLOUD_PORT = 8181


def test_verify_finds_nothing_to_say(service: Service) -> None:
    """No unknown directive, no bad value, in either unit."""
    found = service.box.run(
        "systemd-analyze", "--man=no", "--recursive-errors=no", "verify",
        f"{UNITS}/{SERVICE}", f"{UNITS}/{SOCKET}", check=False,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")


def test_the_exposure_is_at_most_1_2(service: Service) -> None:
    """By systemd's own count, of the file and of what runs."""
    offline = (
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=12",
        "--no-pager",
        f"{UNITS}/{SERVICE}",
    )
    assert service.box.run(*offline, check=False).returncode == 0
    service.systemctl("start")
    live = service.box.run("systemd-analyze", "security", "--no-pager", SERVICE).stdout
    (level,) = re.findall(r"Overall exposure level.*?: ([\d.]+)", live)
    assert float(level) <= 1.2


@pytest.fixture(scope="module")
def found(box: Box) -> dict[str, Any]:
    """What the probe could do. It runs beside the daemon, as ExecStartPost, which has the same sandbox."""
    with closing(Peer(box.listener())) as peer, closing(Peer(box.listener(CLOUD_PORT, host=""))):
        service = Service(box, peer)
        service.clean()
        box.write("/usr/local/lib/probe.py", PROBE.read_text())
        probe = f"{PLACE}/bin/python /usr/local/lib/probe.py {CLOUD_PORT}"
        service.drop_in(f"[Service]\nExecStartPost={probe}\n")
        service.systemctl("start")
        (told,) = [line for line in service.said().splitlines() if line.startswith("PROBE ")]
        mounts = box.run("cat", f"/proc/{service.pid}/mountinfo").stdout
        service.systemctl("stop")
    return {**json.loads(told.removeprefix("PROBE ")), "mounts": mounts}


def test_nothing_is_writable_but_its_state_and_what_is_thrown_away(found: dict[str, Any]) -> None:
    """The state directory stays; the runtime directory and the temporary ones go with the service."""
    assert found["writes"] == OWN
    lines = [line.split() for line in found["mounts"].splitlines()]
    writable = {words[4] for words in lines if words[5].split(",")[0] == "rw"}
    kept = {
        place for place in writable if not place.startswith(("/dev", "/proc", "/sys", "/tmp", "/var/tmp"))
    }
    assert kept == {STATE, "/run/notifier"}


def test_what_it_can_write_it_cannot_run(found: dict[str, Any]) -> None:
    """A file that was smuggled in stays a file."""
    assert found["executes"] == []


def test_what_is_none_of_its_business_cannot_be_read(found: dict[str, Any]) -> None:
    """Other users' secrets, other processes, the kernel's insides."""
    assert (found["reads"], found["processes"]) == ([], [])


def test_it_speaks_ip_and_unix_sockets_only(found: dict[str, Any]) -> None:
    """No netlink, no raw packets."""
    assert found["families"] == ["AF_INET", "AF_INET6", "AF_UNIX"]


def test_a_clouds_credentials_cannot_be_fetched(found: dict[str, Any]) -> None:
    """Link-local is shut off; loopback and what is routed stay open."""
    assert found["connects"] == ["127.0.0.1", "192.0.2.10"]


def test_the_kernel_refuses_what_services_do_not_need(found: dict[str, Any]) -> None:
    """No namespace, mount, code made at run time, real-time priority, bpf."""
    assert found["calls"] == []


def test_it_has_no_capability_and_gets_none(found: dict[str, Any]) -> None:
    """Nor can a set-uid program give it one."""
    assert found["status"] == {"CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}


def test_the_state_directory_is_closed_to_others(service: Service) -> None:
    """Results and signing secrets are in it, and a core of the process would hold keys."""
    service.systemctl("start")
    assert service.box.run("stat", "-c", "%a", STATE).stdout.strip() == "700"
    modes = service.box.run("sh", "-c", f"stat -c %a {STATE}/*").stdout.split()
    assert set(modes) == {"600"}
    assert service.show("LimitCORE", "LimitNOFILE") == {"LimitCORE": "0", "LimitNOFILE": "16384"}

"""The shipped unit on hosts that are not as usual: open to the network, with a clock that is set."""

import pytest

from tests.systemd.peers import API_PATH, HOOK
from tests.systemd.service import Service

TOKEN = "token-of-the-box-0123456789"
OPEN = """
[Service]
Environment=NOTIFIER_SERVER__LISTEN={listen}:8484 API_TOKEN={token}
Environment='NOTIFIER_SERVER__TOKENS=[{{ env = "API_TOKEN" }}]'
"""


@pytest.mark.fault(136)
@pytest.mark.parametrize("listen", ["0.0.0.0", "[::]"])
def test_a_listener_on_every_address_works_and_takes_no_callback_to_itself(
    service: Service, listen: str
) -> None:
    """Without netlink, and also by an address that the machine gets later."""
    service.drop_in(OPEN.format(listen=listen, token=TOKEN), name="40-open.conf")
    service.systemctl("start")

    def register(host: str) -> int:
        body = {"api_path": API_PATH, "task_id": host, "callback_url": f"http://{host}:8484{HOOK}"}
        return service.call("POST", "/v1/watches", body, token=TOKEN)[0]

    assert register("192.0.2.10") == 422
    assert register("192.0.2.99") == 201
    service.box.run("ip", "addr", "add", "192.0.2.98/32", "dev", "lo")
    try:
        assert register("192.0.2.98") == 422
    finally:
        service.box.run("ip", "addr", "del", "192.0.2.98/32", "dev", "lo")


# Two days ahead, as if somebody had set the clock: the box shares that of the machine.
SET_CLOCK = """
import time
real = time.time_ns
time.time_ns = lambda: real() + 2 * 86_400 * 10**9
"""


@pytest.mark.fault(34, 136)
def test_a_clock_that_was_set_while_it_was_stopped_expires_nothing(service: Service) -> None:
    """The unit hides /proc/sys, and yet the daemon knows that the machine was not booted since."""
    service.systemctl("start")
    service.register("young")
    service.systemctl("stop")
    service.plant(SET_CLOCK)
    service.systemctl("start")
    service.until(lambda: service.has_logged("clock.stepped"), "the step")
    service.peer.finished.add("young")
    service.until(lambda: service.peer.told, "the callback")
    service.systemctl("stop")
    assert service.rows("SELECT state FROM watches") == [["completed"]]

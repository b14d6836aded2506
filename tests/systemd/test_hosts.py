"""The shipped unit on hosts that are not as usual: open to the network, with a clock that is set."""

import re
from pathlib import Path

import pytest

from tests.systemd.peers import API_PATH, HOOK
from tests.systemd.service import CONFIG, Service

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


CREDENTIAL = """
[Service]
LoadCredential=api-token:/etc/notifier/api-token
"""
PAGE = Path(__file__).parents[2] / "docs" / "SYSTEMD.md"
COMMANDS = ("status", "check", "secret show", "secret rotate", "test-callback", "backup")


@pytest.mark.fault(141)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_recipe_that_works_beside_the_service(service: Service, command: str) -> None:
    """The alias of docs/SYSTEMD.md, word for word, with a token that only the service is given."""
    page = PAGE.read_text()
    (alias,) = re.findall(r"alias notifier-service='sudo (.*)'", page)
    (recipe,) = re.findall(rf"\| `notifier-service ({command}[^`]*)`", page)
    service.box.write("/etc/notifier/api-token", TOKEN + "\n", 0o600)
    service.box.write(CONFIG, '[server]\ntokens = [{ credential = "api-token" }]\n')
    service.drop_in(CREDENTIAL, name="40-token.conf")
    service.systemctl("start")
    words = recipe.replace("https://app.example/hook", service.peer.url + HOOK).split()
    words = [word.replace("/var/backups", "/tmp") for word in words]
    done = service.box.run(*alias.split(), *words, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if command == "secret rotate":
        service.systemctl("reload")
        assert service.call("GET", "/readyz", token=TOKEN)[0] == 200

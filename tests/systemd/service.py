"""The service in the box, as an operator has it: systemctl, journalctl, files, and its API."""

import json
import subprocess
import time
from collections.abc import Callable
from functools import cache
from http.client import HTTPConnection
from typing import Any

from tests.systemd.box import Box
from tests.systemd.installation import PLACE
from tests.systemd.peers import API_PATH, HOOK, Peer

SERVICE, SOCKET = "notifier.service", "notifier.socket"
UNITS = "/etc/systemd/system"
CONFIG = "/etc/notifier/config.toml"
KEY_FILE = "/etc/notifier/mulerouter-api-key"
KEY = "sk-mr-canary-of-the-box-0123456789"
STATE = "/var/lib/private/notifier"
TCP = "127.0.0.1:8484"
READ = """
import json, sqlite3, sys
file, query = sys.argv[1:]
print(json.dumps(sqlite3.connect(file).execute(query).fetchall()))
"""
FAR_S = 45.0  # a test that waits for so long has failed
PLANTED = "/usr/local/lib/planted"

# For the tests' patience, not for what is tested.
QUICK = """
[Service]
RestartSec=200ms
WatchdogSec=3s
Environment=MULEROUTER_BASE_URL={url} NOTIFIER_POLLING__FIRST_AFTER=100ms NOTIFIER_POLLING__MIN_INTERVAL=100ms
"""


class Service:
    """notifier.service in its box, with a provider and a receiver beside it."""

    def __init__(self, box: Box, peer: Peer) -> None:
        self.box = box
        self.peer = peer
        self.address = TCP

    # -- systemctl

    def clean(self) -> None:
        """As if freshly installed: the units that `notifier systemd` prints, a key, nothing else."""
        self.box.run("systemctl", "stop", SERVICE, SOCKET, check=False)
        self.box.run("rm", "-rf", STATE, "/var/lib/notifier", "/etc/notifier", PLANTED,
                     f"{UNITS}/{SERVICE}.d", f"{UNITS}/{SERVICE}.requires")  # fmt: skip
        for name, options in ((SERVICE, ()), (SOCKET, ("--socket",))):
            self.box.write(f"{UNITS}/{name}", _printed(self.box, *options))
        self.box.write(KEY_FILE, KEY + "\n", 0o600)
        self.drop_in(QUICK.format(url=self.peer.url), name="10-quick.conf")
        self.box.run("systemctl", "reset-failed")

    def install(self, name: str, *options: str) -> None:
        """What the operator does: print a unit, and save it."""
        self.box.write(f"{UNITS}/{name}", _printed(self.box, *options))
        self.box.run("systemctl", "daemon-reload")

    def shipped(self, name: str) -> str:
        """A file that the wheel brings beside the units."""
        packages = self.box.root.joinpath(PLACE.lstrip("/"), "lib").glob("*/site-packages/notifier")
        return next(packages).joinpath("systemd", name).read_text()

    def drop_in(self, text: str, *, name: str = "50-test.conf") -> None:
        self.box.write(f"{UNITS}/{SERVICE}.d/{name}", text)
        self.box.run("systemctl", "daemon-reload")

    def plant(self, code: str) -> None:
        """Have the daemon's Python run ``code`` first."""
        self.box.write(f"{PLANTED}/sitecustomize.py", code)
        self.drop_in(f"[Service]\nEnvironment=PYTHONPATH={PLANTED}\n", name="20-planted.conf")

    def systemctl(self, verb: str, unit: str = SERVICE, *, check: bool = True) -> int:
        return self.box.run("systemctl", verb, unit, check=check).returncode

    def begin(self, verb: str) -> "subprocess.Popen[bytes]":
        """Begin what is not to be waited for."""
        return subprocess.Popen(self.box.command("systemctl", verb, SERVICE), stderr=subprocess.DEVNULL)

    def signal(self, name: str) -> None:
        self.box.run("systemctl", "kill", "--kill-who=main", "-s", name, SERVICE)

    def show(self, *names: str) -> dict[str, str]:
        told = self.box.run("systemctl", "show", SERVICE, "-p", ",".join(names)).stdout.splitlines()
        return dict(line.split("=", 1) for line in told)

    def is_(self, **wanted: str) -> bool:
        return self.show(*wanted) == wanted

    @property
    def pid(self) -> str:
        return self.show("MainPID")["MainPID"]

    def until(self, condition: Callable[[], object], what: str) -> None:
        ends_at = time.monotonic() + FAR_S
        while not condition():
            assert time.monotonic() < ends_at, f"not seen: {what}\n{self.said()}"
            time.sleep(0.05)

    # -- the journal

    def records(self, *match: str) -> list[dict[str, Any]]:
        """All that was written about or by the service since it was cleaned; as journalctl has it."""
        self.box.run("journalctl", "--sync")
        told = self.box.run("journalctl", "-o", "json", "--no-pager", "-u", SERVICE, *match).stdout
        return [json.loads(line) for line in told.splitlines()]

    def said(self) -> str:
        return "\n".join(str(record.get("MESSAGE")) for record in self.records())

    def events(self) -> list[dict[str, Any]]:
        """The daemon's own lines, each with its record's PRIORITY."""
        lines = [(str(record.get("MESSAGE")), record["PRIORITY"]) for record in self.records()]
        return [
            {**json.loads(line), "PRIORITY": priority} for line, priority in lines if line.startswith("{")
        ]

    def has_logged(self, event: str) -> bool:
        return any(line["event"] == event for line in self.events())

    def has_file(self, path: str) -> bool:
        return self.box.root.joinpath(path.lstrip("/")).exists()

    def rows(self, query: str) -> list[list[object]]:
        """What is in the database of a daemon that has ended."""
        told = self.box.run(f"{PLACE}/bin/python", "-c", READ, f"{STATE}/notifier.db", query).stdout
        rows: list[list[object]] = json.loads(told)
        return rows

    # -- the API

    def call(self, method: str, path: str, body: object = None, *, token: str = "") -> tuple[int, bytes]:
        """One request on a connection of its own."""
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        client = HTTPConnection("localhost", timeout=FAR_S)
        client.sock = self.box.connect(self.address)
        try:
            content = None if body is None else json.dumps(body)
            kind = {"Content-Type": "application/json"} if content else {}
            client.request(method, path, content, kind | authorization)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def register(self, *task_ids: str) -> None:
        for task_id in task_ids:
            body = {"api_path": API_PATH, "task_id": task_id, "callback_url": self.peer.url + HOOK}
            status, answer = self.call("POST", "/v1/watches", body)
            assert status == 201, answer


@cache
def _printed(box: Box, *options: str) -> str:
    return box.run(f"{PLACE}/bin/notifier", "systemd", *options).stdout

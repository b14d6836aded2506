"""The real command as a process, for tests that kill it."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import httpx

KEY = "sk-mr-e2e-canary-0123456789"
API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"

# Loading certificates for each client is slow, and nothing here speaks TLS.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class DaemonProcess:
    """`notifier run` in a folder of its own. ``lines`` are the log events of all its lives.

    ``under`` are further variables of its own, as they are.
    """

    def __init__(
        self, folder: Path, *, upstream_url: str, under: Mapping[str, str] | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self.url = ""
        self.lines: list[dict[str, Any]] = []
        self.errors: IO[bytes] | None = None
        self._environ = {**_environ(folder, upstream_url, settings), **(under or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._is_ready = asyncio.Event()

    @property
    def database(self) -> Path:
        return self.folder / "notifier.db"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def secret(self) -> str:
        return (self.folder / "notifier.secret").read_text().strip()

    async def start(self, *, closed: str = "") -> None:
        """Start it and wait until it says that it is ready. ``closed``: as a shell says it, ``2>&-``."""
        await self.launch(closed=closed)
        await self.ready()

    async def launch(self, *, closed: str = "") -> None:
        """Start it and wait for nothing."""
        self._process = await asyncio.create_subprocess_exec(
            "sh", "-c", f'exec "$0" -m notifier run {closed}', sys.executable,
            env=self._environ, cwd=self.folder, stdout=asyncio.subprocess.PIPE, stderr=self.errors,
        )  # fmt: skip
        self.url = ""
        self._is_ready.clear()
        self._reading = asyncio.create_task(self._read())

    async def ready(self) -> None:
        """Wait until it says that it is ready."""
        assert self._reading is not None
        ready = asyncio.create_task(self._is_ready.wait())
        await asyncio.wait({ready, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        assert self.url, f"the daemon did not get ready: {self.lines[-5:]}"

    async def kill(self) -> None:
        """`kill -9`."""
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        status = await self._process.wait()
        await self._reading
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal that is no end."""
        assert self._process is not None
        self._process.send_signal(number)

    async def until(self, event: str) -> dict[str, Any]:
        """Wait for a log event."""
        while not (found := [line for line in self.lines if line["event"] == event]):
            await asyncio.sleep(0.02)
        return found[-1]

    async def register(self, task_id: str, callback_url: str, **more: object) -> dict[str, Any]:
        body = {"api_path": API_PATH, "task_id": task_id, "callback_url": callback_url, **more}
        async with httpx.AsyncClient(trust_env=False, timeout=20, verify=_NO_TLS) as client:
            reply = await client.post(f"{self.url}/v1/watches", json=body)
        assert reply.status_code in (200, 201), reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = json.loads(raw)
            self.lines.append(line)
            if line["event"] == "daemon.ready":
                self.url = line["url"]
                self._is_ready.set()


def _environ(folder: Path, upstream_url: str, settings: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MULEROUTER_"))
    }
    given = {f"NOTIFIER_{name.upper()}": value for name, value in settings.items()}
    return {
        **kept,
        "HOME": str(folder),
        "MULEROUTER_API_KEY": KEY,
        "MULEROUTER_BASE_URL": upstream_url,
        "NOTIFIER_SERVER__LISTEN": "127.0.0.1:0",
        "NOTIFIER_POLLING__FIRST_AFTER": "200ms",
        "NOTIFIER_POLLING__MIN_INTERVAL": "200ms",
        "NOTIFIER_PROVIDERS__MULEROUTER__MAX_RATE": "1000/s",
        "NOTIFIER_LOG__FORMAT": "json",
        **given,
    }

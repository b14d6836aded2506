"""Keys, a token and a signing secret go through a whole run, with peers and clients that ask for them."""

import asyncio
import base64
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from notifier.simulator.serving import serve
from tests.api.conftest import ROUTES
from tests.e2e.daemon import DaemonProcess

pytestmark = pytest.mark.e2e

KEY = "sk-canary-of-mulerouter-0123456789"
OTHER_KEY = "sk-canary-of-another-9876543210"
STREAM = "/v1/events"
TOKEN = "token-canary-5555555555"
SECRET_FILES = {"key", "other-key", "token", "notifier.secret"}
TOLD = ("completed", "failed", "cancelled")
TROUBLED = ("redirect", "html", "word", "garbage")
CONFIG = """
[server]
tokens = [{ file = "token" }]
[providers.mulerouter]
api_key = { file = "key" }
[providers.other]
base_url = "URL/other"
api_key = { file = "other-key" }
"""


@dataclass
class Peers:
    """A provider that quotes the key wherever it can, receivers that quote what they get, and a stranger."""

    stranger_url: str = ""
    keys: dict[str, set[str]] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    by_stranger: list[str] = field(default_factory=list)

    def provider(self) -> Starlette:
        return Starlette(routes=[Route("/v1/{task}", self._poll), Route("/other/v1/{task}", self._poll)])

    def receiver(self) -> Starlette:
        return Starlette(routes=[Route("/{what}", self._hook, methods=["POST"])])

    def stranger(self) -> Starlette:
        async def take(request: Request) -> Response:
            self.by_stranger.append(f"{request.url} {request.headers.items()} {await request.body()!r}")
            return PlainTextResponse("thanks")

        return Starlette(routes=[Route("/{rest:path}", take, methods=["GET", "POST"])])

    async def _poll(self, request: Request) -> Response:
        task = request.path_params["task"]
        given = request.headers["authorization"].removeprefix("Bearer ")
        self.keys.setdefault("other" if "/other/" in request.url.path else "mulerouter", set()).add(given)
        echo = {"x-key": given, "set-cookie": f"key={given}"}
        match task:
            case "redirect":
                return RedirectResponse(f"{self.stranger_url}/stolen?key={given}", headers=echo)
            case "html":
                return PlainTextResponse(f"<html>{given}</html>", 503, headers=echo)
            case "garbage":
                return PlainTextResponse(f'{{"task_info": "{given}', headers=echo)
            case "refused":
                return JSONResponse({"detail": f"bad key {given}"}, 401, headers=echo)
        info = {"id": task, "status": given if task == "word" else task, given: given}
        if task == "failed":
            info["error"] = {"code": given, "title": given, "detail": f"no credit on {given}"}
        return JSONResponse({"task_info": info, "images": [f"https://x/{given}?k={given}"]}, headers=echo)

    async def _hook(self, request: Request) -> Response:
        said = f"{request.headers.items()} {(await request.body()).decode()}"
        self.heard.append(said)
        if request.path_params["what"] == "redirect":
            return RedirectResponse(f"{self.stranger_url}/stolen")
        return PlainTextResponse(said, 422 if request.path_params["what"] == "echo" else 200)


class Client:
    """Asks for everything, rightly and wrongly, and keeps every answer."""

    def __init__(self, url: str) -> None:
        self.answers: list[str] = []
        self._url = url

    async def ask(self, method: str, path: str, token: str = TOKEN, **more: object) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            headers = {"authorization": f"Bearer {token}", **dict(more.pop("headers", {}))}  # type: ignore[call-overload]
            answer = await http.request(method, self._url + path, headers=headers, **more)  # type: ignore[arg-type]
        self.answers.append(f"{answer.status_code} {answer.headers.items()} {answer.text}")
        return answer

    async def listen(self) -> None:
        """Keep what the stream of changes says, which has no end of its own."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            httpx.AsyncClient(trust_env=False, timeout=None) as http,
            http.stream("GET", self._url + STREAM, headers=headers) as stream,
        ):
            async for text in stream.aiter_text():
                self.answers.append(text)

    async def register(self, task: str, hooks: list[str], provider: str = "mulerouter") -> str:
        body = {
            "provider": provider,
            "api_path": "/v1",
            "task_id": task,
            "callbacks": [{"url": u} for u in hooks],
        }
        answer = await self.ask("POST", "/v1/watches", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def ask_for_everything(self, ids: list[str]) -> None:
        """Every route with every id, then what must be refused."""
        for route in ROUTES:
            for each in ids if "{id}" in route.path and route.method == "GET" else [""]:
                if route.method == "GET" and route.path != STREAM:
                    await self.ask("GET", route.path.replace("{id}", each))
        await self.ask("GET", "/v1/watches", token=TOKEN[:-1])
        await self.ask("GET", "/v1/watches", headers={"host": "evil.example"})
        await self.ask("GET", "/v1/watches", headers={"origin": "http://evil.example"})
        await self.ask("POST", "/v1/watches", content=b'{"task_id": \xff')
        await self.ask(
            "POST", "/v1/watches", json={"task_url": "http://evil.example/v1/x", "callback_url": "x"}
        )
        await self.ask("POST", "/v1/reload")


@pytest.mark.fault(59)
@pytest.mark.threat(8, 13, 17)
async def test_no_secret_is_anywhere_but_where_it_belongs(tmp_path: Path) -> None:
    """In no log, file, answer, callback or table of processes, and with no stranger."""
    peers = Peers()
    async with (
        serve(peers.provider()) as provider_url,
        serve(peers.receiver()) as receiver_url,
        serve(peers.stranger()) as stranger_url,
    ):
        peers.stranger_url = stranger_url
        daemon = _daemon(tmp_path, provider_url)
        with (tmp_path / "stderr").open("wb") as daemon.errors:
            await daemon.start()
            try:
                async with asyncio.timeout(40):
                    client = Client(daemon.url)
                    listening = asyncio.create_task(client.listen())
                    await _live(client, receiver_url)
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
                    assert any("task.completed" in each for each in client.answers)
                table = [Path(f"/proc/{daemon.pid}", name) for name in ("cmdline", "environ")]
                processes = [entry.read_bytes().decode("latin-1") for entry in table if entry.exists()]
                files = _files(tmp_path)
            finally:
                await daemon.end()
    assert peers.keys == {"mulerouter": {KEY}, "other": {OTHER_KEY}}
    assert peers.by_stranger == []
    places = {
        "log": [json.dumps(line) for line in daemon.lines], "answers": client.answers,
        "callbacks": peers.heard, "processes": processes, "files": files, "files after": _files(tmp_path),
    }  # fmt: skip
    assert all(places.values())
    found = [
        f"{needle} in {place}: {each[max(0, each.index(needle) - 80) :][:200]}"
        for needle in _needles(daemon.secret)
        for place, texts in places.items()
        for each in texts
        if needle in each
    ]
    assert found == []


def _daemon(folder: Path, provider_url: str) -> DaemonProcess:
    """One whose secrets are in files, and in no variable."""
    for name, content in (("key", KEY), ("other-key", OTHER_KEY), ("token", TOKEN)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    (folder / "config.toml").write_text(CONFIG.replace("URL", provider_url))
    daemon = DaemonProcess(folder, upstream_url=provider_url, log__level="debug")
    del daemon._environ["MULEROUTER_API_KEY"]
    return daemon


async def _live(client: Client, receiver_url: str) -> None:
    """Tasks of every kind, told to receivers of every kind; then every question there is."""
    hooks = [f"{receiver_url}/{what}" for what in ("ok", "echo", "redirect")]
    tasks = [("mulerouter", task) for task in (*TOLD, *TROUBLED)]
    tasks += [("other", "completed"), ("other", "refused")]
    ids = [await client.register(task, hooks, provider) for provider, task in tasks]
    await _told_and_troubled(client, ids)
    await client.ask_for_everything(ids)


async def _told_and_troubled(client: Client, ids: list[str]) -> None:
    """Wait until all that ends has ended and been tried, and all else says its trouble."""
    while True:
        watches = [(await client.ask("GET", f"/v1/watches/{each}")).json() for each in ids]
        ended = [watch for watch in watches if watch["ended_at"]]
        others = [watch for watch in watches if not watch["ended_at"]]
        tried = [delivery["attempts"] for watch in ended for delivery in watch["deliveries"]]
        if (
            len(ended) == len(TOLD) + 1
            and sum(map(bool, tried)) >= 2 * len(ended)
            and all(watch["trouble"] for watch in others)
        ):
            return
        await asyncio.sleep(0.1)


def _files(folder: Path) -> list[str]:
    return [
        f"{file.name}: {file.read_bytes().decode('latin-1')}"
        for file in folder.iterdir()
        if file.name not in SECRET_FILES
    ]


def _needles(secret: str) -> Iterator[str]:
    """Each secret as it is and as it may be dressed."""
    for each in (KEY, OTHER_KEY, TOKEN, secret.removeprefix("whsec_")):
        yield each
        yield urllib.parse.quote(each, safe="")
        yield base64.b64encode(each.encode()).decode().rstrip("=")[:-1]
        yield each.encode().hex()

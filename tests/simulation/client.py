"""A program that uses the daemon through its API, in place of sockets, and remembers what it was promised."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notifier.core.formats.times import parse_duration
from tests.simulation.books import Watched
from tests.simulation.oracle import Oracle
from tests.simulation.peers import Task, TaskKey

if TYPE_CHECKING:
    from tests.simulation.life import Life

TYPES = ("task.completed", "task.failed", "task.cancelled", "task.expired", "task.lost")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call brought."""

    status: int
    body: Any


async def call(life: "Life", method: str, path: str, body: object = None) -> Answer:
    """One request, over ASGI as the server hands it on. Never answered if the daemon dies meanwhile."""
    if life.front is None or not life.is_ready or life.is_stopping:
        return Answer(0, None)
    sent = b"" if body is None else json.dumps(body).encode()
    headers = [(b"host", b"127.0.0.1:8484"), (b"content-length", str(len(sent)).encode())]
    if body is not None:
        headers.append((b"content-type", b"application/json"))
    bare, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": bare, "raw_path": bare.encode(), "query_string": query.encode(), "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8484),
    }  # fmt: skip
    incoming = [{"type": "http.request", "body": sent, "more_body": False}]
    outgoing: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        if incoming:
            return incoming.pop()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Mapping[str, Any]) -> None:
        outgoing.append(message)

    await life.front.app(scope, receive, send)  # type: ignore[arg-type]
    text = b"".join(message.get("body", b"") for message in outgoing)
    answer = Answer(outgoing[0]["status"], json.loads(text) if text else None)
    if not life.is_dead:
        life.world.note("call", method, path, answer.status)
        _check(life, method, path, answer, text.decode())
    return answer


def _check(life: "Life", method: str, path: str, answer: Answer, text: str) -> None:
    if answer.status >= 500 and answer.status not in (503, 507):
        life.world.breach("no fault of ours", f"{method} {path} is answered {answer.status}: {text}")
    if any(key in text for key in life.city.keys):
        life.world.breach("P6 keys", f"the answer to {method} {path} holds a key")


class Client:
    """All acts of the users, each an attempt that may go wrong. ``life`` says which daemon answers now."""

    def __init__(self, life: Callable[[], "Life"]) -> None:
        self._life_now = life
        self._unanswered: list[dict[str, Any]] = []
        self._asked_at: dict[str, int] = {}

    @property
    def _life(self) -> "Life":
        return self._life_now()

    # -- watches

    async def register(self) -> None:
        """Have a new task watched by some receivers, or say again what was not answered."""
        rng = self._life.city.rng
        if self._unanswered and rng.random() < 0.5:
            await self._register(self._unanswered.pop())
            return
        await self._register(self._registration(self._life.city.new_task()))

    def _registration(self, task: Task) -> dict[str, Any]:
        city = self._life.city
        rng = city.rng
        body: dict[str, Any] = {
            "provider": task.key[0],
            "api_path": task.key[1],
            "task_id": task.key[2],
            "metadata": {"n": rng.randrange(1_000)},
            "callbacks": self._callbacks(rng.choice([1, 1, 2, 3])),
        }
        if rng.random() < 0.3:
            body["expire_after"] = rng.choice(["30s", "5m", "45m"])
        return body

    def _callbacks(self, count: int) -> list[dict[str, Any]]:
        return list({each["url"]: each for each in (self._callback() for _ in range(count))}.values())

    def _callback(self) -> dict[str, Any]:
        rng = self._life.city.rng
        url = rng.choice(sorted(self._life.city.receivers))
        if rng.random() < 0.2:
            url += f"?q={rng.randrange(3)}"
        return {"url": url, "events": list(TYPES[:2])} if rng.random() < 0.1 else {"url": url}

    async def _register(self, body: dict[str, Any]) -> None:
        self._unanswered.append(body)
        life = self._life
        asked_at = self._asked_at.setdefault(body["task_id"], life.world.elapsed_ms())
        answer = await call(life, "POST", "/v1/watches", body)
        if answer.status in (200, 201, 422, 400):
            self._unanswered = [each for each in self._unanswered if each is not body]
        if answer.status in (200, 201):
            self._promised(answer.body, body, asked_at)
        elif answer.status not in (0, 503, 507):
            is_crowded = answer.body.get("code") == "too_many_callbacks"
            was_away = any(body["provider"] not in config.providers for config in life.city.configs)
            if not was_away and not is_crowded:
                life.world.breach("API", f"a registration is answered {answer.status}: {answer.body}")

    def _promised(self, watch: Mapping[str, Any], body: Mapping[str, Any], asked_at: int) -> None:
        key: TaskKey = (body["provider"], body["api_path"], body["task_id"])
        watched = self._oracle.watched.get(watch["id"])
        if watched is None:
            watched = Watched(watch["id"], key, {}, asked_at, self._expire_after_ms(body))
            self._oracle.watched[watch["id"]] = watched
        for each in watch["callbacks"]:
            watched.urls.setdefault(each["url"], tuple(each["events"]))

    def _expire_after_ms(self, body: Mapping[str, Any]) -> int:
        """What was asked for: the deadline that the watch tells may have moved with the clock since."""
        if "expire_after" in body:
            return parse_duration(body["expire_after"])
        configs = self._life.city.configs
        providers = [config.providers.get(body["provider"]) for config in configs]
        return min(each.polling.expire_after_ms for each in providers if each is not None)

    async def add_callback(self) -> None:
        """Register a known task for one more receiver."""
        watched = self._any()
        if watched is not None:
            provider, api_path, task_id = watched.key
            names = {"provider": provider, "api_path": api_path, "task_id": task_id}
            await self._register({**names, "callbacks": [self._callback()]})

    async def stop(self) -> None:
        """End a watch, often just while it is polled; from the answer on no callback of it may be made."""
        watched = self._any_live()
        if watched is not None and self._life.city.rng.random() < 0.5:
            await self._poll(watched)
            await asyncio.sleep(self._life.city.rng.random() * 0.5)
        if watched is None or not self._take(watched):
            return
        answer = await call(self._life, "DELETE", f"/v1/watches/{watched.watch_id}")
        watched.taken_in = 0
        if answer.status == 200:
            rows = self._oracle.audit.rows(
                "SELECT id FROM events WHERE watch_seq = (SELECT seq FROM watches WHERE id = ?)",
                watched.watch_id,
            )
            watched.stopped_knowing = {row["id"] for row in rows}

    async def resume(self) -> None:
        """Go on with a watch that has expired, was lost or stopped."""
        watched = self._any()
        if watched is None or not self._take(watched):
            return
        before = watched.stopped_knowing, watched.expire_after_ms
        watched.stopped_knowing, watched.expire_after_ms = None, 0  # not known until it is answered
        watched.nudged_at = asked_at = self._life.world.elapsed_ms()
        watched.resumes += 1
        answer = await call(
            self._life, "POST", f"/v1/watches/{watched.watch_id}/resume", {"expire_after": "10m"}
        )
        watched.taken_in = 0
        if answer.status == 200:
            watched.since, watched.expire_after_ms = asked_at, 600_000
        else:
            watched.resumes -= 1
            watched.stopped_knowing, watched.expire_after_ms = before

    async def poll(self) -> None:
        """Poll now."""
        watched = self._any_live()
        if watched is not None:
            await self._poll(watched)

    async def _poll(self, watched: Watched) -> None:
        watched.nudged_at = self._life.world.elapsed_ms()
        await call(self._life, "POST", f"/v1/watches/{watched.watch_id}/poll")
        watched.nudged_at = self._life.world.elapsed_ms()

    async def look(self) -> None:
        """Read what there is, here and there."""
        watched = self._any()
        for path in ("/v1/status", "/v1/watches?limit=5", "/v1/endpoints"):
            await call(self._life, "GET", path)
        if watched is not None:
            await call(self._life, "GET", f"/v1/watches/{watched.watch_id}")

    # -- deliveries

    async def redeliver(self) -> None:
        """Send one delivery again."""
        page = await call(self._life, "GET", "/v1/deliveries?limit=20")
        if page.status == 200 and page.body["deliveries"]:
            chosen = self._life.city.rng.choice(page.body["deliveries"])
            await call(self._life, "POST", f"/v1/deliveries/{chosen['id']}/redeliver")

    async def replay(self) -> None:
        """Send again what is dead, or what one receiver was sent."""
        rng = self._life.city.rng
        url = rng.choice(sorted(self._life.city.receivers))
        for each in self._life.city.receivers:
            self._oracle.touch(each)
        await call(self._life, "POST", "/v1/deliveries/replay", rng.choice([{"state": "dead"}, {"url": url}]))

    # -- endpoints

    async def pause(self) -> None:
        """Have one endpoint sent nothing."""
        found = await self._endpoint()
        if found is not None:
            self._oracle.touch(found["url"])
            answer = await call(self._life, "POST", f"/v1/endpoints/{found['id']}/pause")
            if answer.status == 200:
                self._oracle.held[found["url"]] = self._life.world.elapsed_ms()

    async def release(self) -> None:
        """Open one endpoint, whatever held it."""
        found = await self._endpoint()
        if found is not None:
            await self._release(found)

    async def release_all(self) -> None:
        """Open every endpoint that a user or a 410 holds."""
        page = await call(self._life, "GET", "/v1/endpoints?limit=100")
        for found in page.body["endpoints"] if page.status == 200 else []:
            if found["state"] in ("paused", "gone"):
                await self._release(found)

    async def _release(self, found: Mapping[str, Any]) -> None:
        self._oracle.touch(found["url"])
        self._oracle.held.pop(found["url"], None)
        self._oracle.gone.pop(found["url"], None)
        await call(self._life, "POST", f"/v1/endpoints/{found['id']}/resume")
        self._oracle.held.pop(found["url"], None)  # a pause asked meanwhile came before it
        self._oracle.touch(found["url"])

    async def _endpoint(self) -> Any:
        page = await call(self._life, "GET", "/v1/endpoints?limit=100")
        if page.status != 200 or not page.body["endpoints"]:
            return None
        return self._life.city.rng.choice(page.body["endpoints"])

    # -- the daemon

    async def reload(self) -> None:
        """Have the configuration read again."""
        self._life.world.disturb()
        await call(self._life, "POST", "/v1/reload")

    def _take(self, watched: Watched) -> bool:
        """Stop and resume one watch one after the other: of two at once nobody knows which was last."""
        if watched.taken_in == self._life.number:
            return False
        watched.taken_in = self._life.number
        return True

    def _any_live(self) -> Watched | None:
        """One that is watched still, best of all one whose task has just ended upstream."""
        city = self._life.city
        rows = self._oracle.audit.rows("SELECT id FROM watches WHERE state = 'watching'")
        live = [self._oracle.watched[row["id"]] for row in rows if row["id"] in self._oracle.watched]
        ended = [each for each in live if (city.task(each.key).ends_at or city.now() + 1) <= city.now()]
        if ended and city.rng.random() < 0.7:
            return city.rng.choice(ended)
        return city.rng.choice(live) if live else self._any()

    def _any(self) -> Watched | None:
        known = list(self._oracle.watched.values())
        return self._life.city.rng.choice(known[-30:]) if known else None

    @property
    def _oracle(self) -> Oracle:
        return self._life.oracle

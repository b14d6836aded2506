"""Simulate a provider of the catalogue as an ASGI application, from its golden replies.

A submission is any POST that is not a poll. Its reply, and those of the polls, are the golden ones, with ids,
URLs and links that lead here. Words in the submission choose the outcome (``script.PROMPTS``). A request
without the key's header, or with another key than ``key``, gets the golden reply to a wrong key.
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from notifier.core.formats.task_urls import TaskUrlTemplate, split_task_url
from notifier.core.formats.urls import InvalidUrl
from notifier.providers.catalogue import read_preset
from notifier.simulator.media import make_file
from notifier.simulator.script import FixedReply, PreparedReply, TaskScript, make_fixed_reply, parse_prompt
from notifier.simulator.upstream import Receive, Scope, Send, read_body

FILES = "/_sim/files/"
_KINDS = {"completed": "succeeded", "failed": "failed", "cancelled": "cancelled", "vanish": "unknown"}
_PENDING_SHARE = 0.25  # of the duration, as that of MuleRouter's tasks
_LINK = re.compile(r"https://files\.example/([\w./-]+)")
MIN_DIGITS = 8  # fewer hexadecimal digits would soon make one id twice
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class CatalogueTask:
    """One simulated task. ``started_s`` is a second of the clock."""

    task_id: str
    script: TaskScript
    started_s: float


class CatalogueProvider:
    """The application. ``monotonic`` returns seconds; ``make_id`` returns the hexadecimal digits of ids.

    ``refused`` counts the requests without the right key.
    """

    def __init__(
        self,
        name: str,
        *,
        key: str | None = None,
        script: TaskScript | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        make_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.name = name
        self.refused = 0
        self._preset = read_preset(name)
        self._provider: Mapping[str, Any] = self._preset["provider"]
        self._example: Mapping[str, Any] = self._preset["example"]
        self._key = key
        self._script = script or TaskScript()
        self._monotonic = monotonic
        self._make_id = make_id
        self._tasks: dict[str, CatalogueTask] = {}
        self.base_path = urlsplit(self._provider["base_url"]).path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = (await read_body(receive)).decode("utf-8", "replace")
        origin = f"http://{headers.get('host', '127.0.0.1')}"
        if scope["path"].startswith(FILES):
            reply = make_file(scope["path"])
        elif not self._is_authorized(headers):
            self.refused += 1
            reply = self._send_golden(self._find_golden("refused"), self._example["task_id"], origin)
        else:
            reply = self._answer(scope, body, origin)
        await send(reply.head)
        await send(reply.body)

    def _is_authorized(self, headers: Mapping[str, str]) -> bool:
        value = headers.get(self._provider.get("auth_header", "Authorization").lower(), "")
        pattern: str = self._provider.get("auth_value", "Bearer {key}")
        if self._key is not None:
            return value == pattern.replace("{key}", self._key)
        prefix = pattern.partition("{key}")[0]
        return value.startswith(prefix) and len(value) > len(prefix)

    def _answer(self, scope: Scope, body: str, origin: str) -> PreparedReply:
        query = scope["query_string"].decode("latin-1")
        url = f"{origin}{scope['path']}" + (f"?{query}" if query else "")
        result = self._provider.get("result")
        if scope["method"] == self._provider.get("method", "GET"):
            task_id = self._find_task_id(url, body, self._provider["task_path"], origin)
            if task_id is not None:
                return self._answer_poll(task_id, origin)
        if scope["method"] == "GET":
            task_id = self._find_result_task(url, result, origin) if result else None
            if task_id is not None:
                return self._send_golden(self._find_result(), task_id, origin)
            return self._send_golden(self._find_golden("unknown"), self._example["task_id"], origin)
        return self._create_task(body, origin)

    def _find_task_id(self, url: str, body: str, task_path: str, origin: str) -> str | None:
        """Return the id that a poll names: in its URL, else in its body."""
        template = TaskUrlTemplate(
            f"{origin}{self.base_path}", task_path, id_signs=self._provider.get("id_signs", "")
        )
        try:
            return split_task_url(url, {self.name: template}).task_id
        except InvalidUrl:
            pass
        named = re.escape(self._provider.get("body", "")).replace(r"\{task_id\}", '([^"]+)')
        match = re.fullmatch(named, body) if "{task_id}" not in task_path and named else None
        return match[1] if match else None

    def _find_result_task(self, url: str, result: Mapping[str, Any], origin: str) -> str | None:
        """Return the task of a second GET. A value of its path is the task's own, see ``_with_ids``."""
        task_id = self._find_task_id(url, "", result["path"], origin)
        if task_id is not None:
            return task_id
        matches = (task_id for task_id in self._tasks if _digits_of(task_id) in url)
        return next(matches, None) if result.get("values") else None

    def _answer_poll(self, task_id: str, origin: str) -> PreparedReply:
        task = self._tasks.get(task_id)
        if task is None:
            return self._send_golden(self._find_golden("unknown"), task_id, origin)
        return self._send_golden(self._find_golden(*self._kinds_now(task)), task_id, origin)

    def _kinds_now(self, task: CatalogueTask) -> tuple[str, ...]:
        age_s, duration_s = self._monotonic() - task.started_s, task.script.duration_s
        if age_s < duration_s * _PENDING_SHARE:
            return ("queued", "running")
        if age_s < duration_s or task.script.outcome == "never":
            return ("running", "queued")
        return (_KINDS[task.script.outcome], "failed")

    def _create_task(self, body: str, origin: str) -> PreparedReply:
        task_id = self._new_id()
        self._tasks[task_id] = CatalogueTask(task_id, parse_prompt(body, self._script), self._monotonic())
        return self._send_golden(self._example["reply"], task_id, origin)

    def _new_id(self) -> str:
        """Return an id in the form of the example's: other hexadecimal digits, where it has such."""
        digits = iter(self._make_id() * 8)
        example: str = self._example["task_id"]
        head, _, last = example.rpartition("/")
        fresh = "".join(next(digits) if sign in "0123456789" else sign for sign in last)
        if last.isdecimal():
            fresh = "1" + "".join(str(int(sign, 16) % 10) for sign in fresh[1:])
        elif len(_digits_of(last)) < MIN_DIGITS:
            fresh += self._make_id()[:MIN_DIGITS]
        return f"{head}/{fresh}" if head else fresh

    def _find_golden(self, *kinds: str) -> Mapping[str, Any]:
        """Return the first golden reply to a poll of the first of these kinds that there is."""
        polls = [each for each in self._preset["golden"] if each.get("step") != "result"]
        return next(each for kind in kinds for each in polls if each["name"].partition("-")[0] == kind)

    def _find_result(self) -> Mapping[str, Any]:
        golden = self._preset["golden"]
        return next(each for each in golden if each.get("step") == "result" and each["http"] == 200)

    def _send_golden(self, golden: Mapping[str, Any], task_id: str, origin: str) -> PreparedReply:
        body = self._with_ids(golden["body"], task_id)
        for host in [urlsplit(self._provider["base_url"]).netloc, *self._provider.get("hosts", [])]:
            pattern = re.escape(host).replace(r"\*", r"[\w-]+(?:\.[\w-]+)*")
            body = re.sub(rf"https?://{pattern}(?=[/\"])", origin, body)
        body = _LINK.sub(lambda link: f"{origin}{FILES}{link[1]}", body)
        headers = {"content-type": "application/json" if body[:1] in "{[" else "text/plain"}
        return make_fixed_reply(FixedReply(golden["http"], headers | golden.get("headers", {}), body))

    def _with_ids(self, body: str, task_id: str) -> str:
        """Put the id of a task in the place of the example's; values of the second GET get its digits."""
        for place in self._provider.get("result", {}).get("values", {}).values():
            body = re.sub(rf'("{re.escape(place)}": ?"?)\d+', rf"\g<1>{_digits_of(task_id)}", body)
        return body.replace(self._example["task_id"], task_id)


def _digits_of(task_id: str) -> str:
    return str(int("".join(_DIGITS.findall(task_id)) or "1"))

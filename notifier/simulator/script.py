"""Describe a simulated task as data, and make the replies that follow from it.

The JSON and the words are those of MuleRouter's pages "Get Generation Task" and "Async tasks".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from notifier.core.formats.times import format_instant

Outcome = Literal["completed", "failed", "cancelled", "never", "vanish"]
Result = Literal["images", "videos", "audios", "image", "video", "audio"]

# MuleRouter documents two vocabularies for the same field, on different pages.
WORDS: Mapping[str, Mapping[str, str]] = {
    "endpoint": {
        "pending": "pending",
        "processing": "processing",
        "completed": "completed",
        "failed": "failed",
        "cancelled": "cancelled",
    },
    "async": {
        "pending": "queued",
        "processing": "running",
        "completed": "succeeded",
        "failed": "failed",
        "cancelled": "canceled",
    },
}
# What a word in the prompt of a submission changes in the script of its task, and its description.
PROMPTS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "fail": ({"outcome": "failed"}, "it fails"),
    "forbidden": ({"outcome": "failed"}, "it fails too"),
    "cancel": ({"outcome": "cancelled"}, "it is cancelled"),
    "never": ({"outcome": "never"}, "it never ends"),
    "vanish": ({"outcome": "vanish"}, "it is not known any more (404)"),
    "slow": ({"duration_s": 30.0}, "it takes 30 s; goes with each of the others"),
}
_SUFFIXES = {"image": "png", "video": "mp4", "audio": "mp3"}
_PENDING_SHARE = 0.25  # of the duration; no record of why; changing it needs a measurement


@dataclass(frozen=True, slots=True)
class FixedReply:
    """A reply independent of the task: an outage, a limit, HTML. It is sent after ``after_s``."""

    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskScript:
    """The course of a task: pending for a quarter of ``duration_s``, then processing, then its outcome.

    ``never`` stays processing; ``vanish`` is unknown afterwards. The first polls get the replies in ``first``
    in any state of the task.
    """

    duration_s: float = 2.0
    outcome: Outcome = "completed"
    words: Literal["endpoint", "async"] = "endpoint"
    result: Result = "images"
    outputs: int = 1
    error_code: int = 3001
    error_title: str = "Invalid Request"
    error_detail: str = "The prompt contains prohibited content"
    first: tuple[FixedReply, ...] = ()


def parse_prompt(prompt: object, script: TaskScript) -> TaskScript:
    """Return the script as changed by the words of a prompt."""
    words = re.findall(r"[a-z]+", prompt.lower()) if isinstance(prompt, str) else []
    for word in words:
        script = replace(script, **PROMPTS[word][0]) if word in PROMPTS else script
    return script


def describe_words() -> list[str]:
    """Describe the words of a prompt that have an effect, one a line."""
    return [
        "A task is completed after two seconds. A word in its prompt changes that:",
        *(f"  {word:<10} {text}" for word, (_, text) in PROMPTS.items()),
    ]


class PreparedReply:
    """A whole reply as ASGI messages, made once and sent many times."""

    __slots__ = ("after_s", "body", "content", "head")

    def __init__(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, after_s: float = 0.0
    ) -> None:
        named = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        fields = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in named.items()]
        self.head = {"type": "http.response.start", "status": status, "headers": fields}
        self.content = body
        self.body = {"type": "http.response.body", "body": body}
        self.after_s = after_s


def make_json_reply(status: int, content: object) -> PreparedReply:
    """Make a reply of JSON."""
    return PreparedReply(status, msgspec.json.encode(content))


def make_fixed_reply(reply: FixedReply) -> PreparedReply:
    """Make a reply from its description."""
    return PreparedReply(reply.status, reply.body.encode(), reply.headers, reply.after_s)


def make_missing_reply() -> PreparedReply:
    """Make the reply for an unknown task; the body of the provider is as short."""
    return make_json_reply(404, {"status": 404, "title": "Not Found"})


def make_problem(status: int, title: str, path: str) -> PreparedReply:
    """Make an error of the provider's HTTP server, in the form of a recorded one."""
    detail = "None (request_id: 00000000-0000-4000-8000-000000000000)"
    return make_json_reply(
        status, {"status": status, "title": title, "detail": detail, "instance": path, "error_code": 0}
    )


def make_stages(script: TaskScript, task_id: str, created_at: int) -> tuple[tuple[float, PreparedReply], ...]:
    """Return the replies of a task with the second from which each applies, in order."""
    words = WORDS[script.words]

    def stage(word: str, after_s: float, **more: Any) -> tuple[float, PreparedReply]:
        error = more.pop("error", None)
        info = {
            "id": task_id,
            "status": words[word],
            "created_at": format_instant(created_at),
            "updated_at": format_instant(created_at + round(after_s * 1_000)),
            **({"error": error} if error else {}),
        }
        return after_s, make_json_reply(200, {"task_info": info, **more})

    running = [stage("pending", 0.0), stage("processing", script.duration_s * _PENDING_SHARE)]
    match script.outcome:
        case "completed":
            end = [stage("completed", script.duration_s, **_result(script, task_id))]
        case "failed":
            error = {"code": script.error_code, "title": script.error_title, "detail": script.error_detail}
            end = [stage("failed", script.duration_s, error=error)]
        case "cancelled":
            end = [stage("cancelled", script.duration_s)]
        case "vanish":
            end = [(script.duration_s, make_missing_reply())]
        case "never":
            end = []
    return tuple(running + end)


def _result(script: TaskScript, task_id: str) -> dict[str, Any]:
    kind = script.result.removesuffix("s")
    urls = [
        f"https://mule-router-assets.example/router_public/production/ephemeral/{task_id}/result_{n:02}.{_SUFFIXES[kind]}"
        for n in range(script.outputs)
    ]
    return {script.result: urls if script.result.endswith("s") else urls[0]}

"""The simulated upstream speaks as MuleRouter's pages say, and does what it was told to."""

import json
from typing import Any

import pytest

from notifier.core.polling.provider import MULEROUTER_WORDS
from notifier.simulator.script import WORDS, FixedReply, TaskScript
from notifier.simulator.upstream import SimulatedProvider, SimulatedTask

API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"
TASK_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
EPOCH = 1_739_097_000_000  # 2025-02-09T10:30:00.000Z, the page's example


class Stopwatch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Caller:
    """Calls the application as a server would."""

    def __init__(self, key: str | None = None) -> None:
        self.clock = Stopwatch()
        ids = iter(f"task-{number}" for number in range(100))
        self.upstream = SimulatedProvider(
            key=key, monotonic=self.clock, epoch_ms=EPOCH, make_id=lambda: next(ids)
        )

    async def __call__(
        self, method: str, path: str, body: object = None, bearer: str | None = "Bearer sk-mr-any"
    ) -> tuple[int, Any, dict[str, str]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        pieces = [data[:5], data[5:]]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"x")] + ([(b"authorization", bearer.encode())] if bearer is not None else [])
        await self.upstream(
            {"type": "http", "method": method, "path": path, "headers": headers}, receive, send
        )
        head, tail = sent
        fields = {name.decode(): value.decode() for name, value in head["headers"]}
        assert fields["content-length"] == str(len(tail["body"]))
        is_json = fields["content-type"] == "application/json"
        return head["status"], json.loads(tail["body"]) if is_json else tail["body"], fields

    def add(self, **script: Any) -> SimulatedTask:
        return self.upstream.add(API_PATH, TaskScript(**script), TASK_ID)

    async def poll(self, at: float = 0.0) -> tuple[int, Any]:
        """Ask for the one task, this many seconds after the start."""
        self.clock.now = 100.0 + at
        status, body, _ = await self("GET", f"{API_PATH}/{TASK_ID}")
        return status, body


@pytest.fixture
def call() -> Caller:
    return Caller()


async def test_a_task_is_pending_processing_and_completed_in_the_pages_own_shapes(call: Caller) -> None:
    call.add(duration_s=60.0, outputs=2)
    asset = f"https://mule-router-assets.example/router_public/production/ephemeral/{TASK_ID}/result_"
    info = {"id": TASK_ID, "created_at": "2025-02-09T10:30:00.000Z"}
    assert await call.poll(0.0) == (
        200,
        {"task_info": {**info, "status": "pending", "updated_at": "2025-02-09T10:30:00.000Z"}},
    )
    assert await call.poll(15.0) == (
        200,
        {"task_info": {**info, "status": "processing", "updated_at": "2025-02-09T10:30:15.000Z"}},
    )
    assert await call.poll(59.999) == await call.poll(15.0)
    assert await call.poll(60.0) == (
        200,
        {
            "task_info": {**info, "status": "completed", "updated_at": "2025-02-09T10:31:00.000Z"},
            "images": [f"{asset}00.png", f"{asset}01.png"],
        },
    )
    assert await call.poll(9_999.0) == await call.poll(60.0)


async def test_a_failed_task_is_told_with_status_200(call: Caller) -> None:
    call.add(outcome="failed")
    status, body = await call.poll(2.0)
    assert status == 200
    assert body["task_info"]["status"] == "failed"
    assert body["task_info"]["error"] == {
        "code": 3001,
        "title": "Invalid Request",
        "detail": "The prompt contains prohibited content",
    }
    assert set(body) == {"task_info"}


@pytest.mark.parametrize(
    ("outcome", "words", "said"),
    [
        ("completed", "endpoint", ["pending", "processing", "completed"]),
        ("completed", "async", ["queued", "running", "succeeded"]),
        ("failed", "async", ["queued", "running", "failed"]),
        ("cancelled", "endpoint", ["pending", "processing", "cancelled"]),
        ("cancelled", "async", ["queued", "running", "canceled"]),
        ("never", "endpoint", ["pending", "processing", "processing"]),
    ],
)
async def test_both_vocabularies_are_spoken(call: Caller, outcome: str, words: str, said: list[str]) -> None:
    call.add(outcome=outcome, words=words, duration_s=4.0)
    assert [(await call.poll(at))[1]["task_info"]["status"] for at in (0.0, 2.0, 9.0)] == said


def test_every_word_is_one_that_the_default_dialect_knows() -> None:
    known = {word for words in MULEROUTER_WORDS.values() for word in words}
    assert {word for words in WORDS.values() for word in words.values()} <= known


@pytest.mark.parametrize(
    ("result", "suffix", "is_list"),
    [
        ("images", "png", True),
        ("videos", "mp4", True),
        ("audios", "mp3", True),
        ("image", "png", False),
        ("video", "mp4", False),
        ("audio", "mp3", False),
    ],
)
async def test_a_result_stands_under_its_key(call: Caller, result: str, suffix: str, is_list: bool) -> None:
    call.add(result=result)
    _, body = await call.poll(2.0)
    found = body[result]
    assert isinstance(found, list) is is_list
    assert (found[0] if is_list else found).endswith(f".{suffix}")


async def test_a_task_that_vanishes_and_one_that_never_was_are_both_not_found(call: Caller) -> None:
    call.add(outcome="vanish")
    assert (await call.poll(1.9))[0] == 200
    assert await call.poll(2.0) == (404, {"status": 404, "title": "Not Found"})
    assert (await call("GET", f"{API_PATH}/no-such-task"))[0] == 404
    assert (await call("GET", f"/other/path/{TASK_ID}"))[0] == 404


async def test_a_task_of_no_duration_has_ended_at_once(call: Caller) -> None:
    call.add(duration_s=0.0)
    assert (await call.poll())[1]["task_info"]["status"] == "completed"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("bearer", [None, "", "Bearer wrong", "bearer sk-mr-right", "sk-mr-right", "Basic x"])
async def test_without_the_key_there_is_a_401_before_anything_else(method: str, bearer: str | None) -> None:
    call = Caller(key="sk-mr-right")
    status, body, _ = await call(method, f"{API_PATH}/{TASK_ID}", {}, bearer=bearer)
    assert status == 401
    assert set(body) == {"status", "title", "detail", "instance", "error_code"}
    assert call.upstream.describe()["refused"] == 1
    assert call.upstream.describe()["tasks"] == []


async def test_with_the_key_or_where_none_is_set_one_is_let_in() -> None:
    for call, bearer in ((Caller(key="sk-mr-right"), "Bearer sk-mr-right"), (Caller(), "Bearer anything")):
        call.add()
        status, _, _ = await call("GET", f"{API_PATH}/{TASK_ID}", bearer=bearer)
        assert status == 200


async def test_a_submission_is_accepted_and_can_be_polled(call: Caller) -> None:
    status, body, _ = await call("POST", API_PATH, {"prompt": "a mule"})
    assert status == 202
    assert body["task_info"] == {
        "id": "task-0",
        "status": "pending",
        "created_at": "2025-02-09T10:30:00.000Z",
        "updated_at": "2025-02-09T10:30:00.000Z",
    }
    status, polled, _ = await call("GET", f"{API_PATH}/task-0")
    assert (status, polled) == (200, body)


@pytest.mark.parametrize(
    ("prompt", "status", "at"),
    [
        ("a mule", "completed", 2.0),
        ("please FAIL, mule", "failed", 2.0),
        ("a forbidden mule", "failed", 2.0),
        ("cancel that mule", "cancelled", 2.0),
        ("never a mule", "processing", 9_999.0),
        ("a slow mule", "processing", 29.0),
        ("a slow mule", "completed", 30.0),
        ("slow, then fail", "processing", 29.0),
        ("slow, then fail", "failed", 30.0),
        ("a failing, slowly vanishing mule", "completed", 2.0),
    ],
)
async def test_a_word_in_the_prompt_says_what_becomes_of_a_submission(
    call: Caller, prompt: str, status: str, at: float
) -> None:
    """Whole words, in any case, and more than one; in the shapes of every other task."""
    assert (await call("POST", API_PATH, {"prompt": prompt}))[0] == 202
    call.clock.now += at
    code, body, _ = await call("GET", f"{API_PATH}/task-0")
    assert (code, body["task_info"]["status"]) == (200, status)


async def test_a_task_of_a_prompt_can_vanish(call: Caller) -> None:
    """The provider does not know it any more."""
    await call("POST", API_PATH, {"prompt": "vanish"})
    call.clock.now += 2.0
    assert (await call("GET", f"{API_PATH}/task-0"))[0] == 404


async def test_a_prompt_changes_the_script_that_was_set_in_what_it_names_only(call: Caller) -> None:
    """And a prompt that is no text changes nothing."""
    await call("POST", "/_sim/script", {"duration_s": 8, "words": "async"})
    await call("POST", API_PATH, {"prompt": "fail"})
    await call("POST", API_PATH, {"prompt": ["fail"]})
    call.clock.now += 8.0
    said = [(await call("GET", f"{API_PATH}/task-{n}"))[1]["task_info"]["status"] for n in (0, 1)]
    assert said == ["failed", "succeeded"]


async def test_a_submission_that_is_no_json_object_is_refused(call: Caller) -> None:
    for body in (b"", b"prompt=x", b"[1]"):
        assert (await call("POST", API_PATH, body))[0] == 400


async def test_another_method_is_refused(call: Caller) -> None:
    assert (await call("DELETE", f"{API_PATH}/{TASK_ID}"))[0] == 405


# -- faults


async def test_the_first_polls_of_a_task_get_what_was_canned_for_it(call: Caller) -> None:
    call.add(
        first=(
            FixedReply(503),
            FixedReply(429, {"Retry-After": "3"}, '{"status": 429}'),
            FixedReply(200, {"Content-Type": "text/html"}, "<html>busy</html>"),
            FixedReply(200, {}, '{"task_info": {"id": "other", "status": "completed"}}'),
        )
    )
    path = f"{API_PATH}/{TASK_ID}"
    with pytest.raises(json.JSONDecodeError):
        await call("GET", path)
    status, _, fields = await call("GET", path)
    assert (status, fields["retry-after"]) == (429, "3")
    assert (await call("GET", path))[:2] == (200, b"<html>busy</html>")
    assert (await call("GET", path))[1]["task_info"]["id"] == "other"
    assert (await call("GET", path))[1]["task_info"]["status"] == "pending"


async def test_an_outage_hits_the_next_polls_of_whatever_task(call: Caller) -> None:
    call.add()
    call.upstream.fail_next([FixedReply(502, {}, "{}"), FixedReply(500, {}, "{}")])
    assert (await call("GET", f"{API_PATH}/unknown"))[0] == 502
    assert (await call.poll())[0] == 500
    assert (await call.poll())[0] == 200


async def test_an_outage_can_end_before_all_its_faults_were_met(call: Caller) -> None:
    call.add()
    call.upstream.fail_next([FixedReply(502, {}, "{}"), FixedReply(500, {}, "{}")])
    assert (await call.poll())[0] == 502
    call.upstream.recover()
    assert (await call.poll())[0] == 200


# -- driven from another process


async def test_tasks_are_made_and_counted_over_http(call: Caller) -> None:
    script = {
        "duration_s": 5,
        "outcome": "failed",
        "words": "async",
        "first": [{"status": 503, "body": "{}"}],
    }
    made = await call(
        "POST", "/_sim/tasks", {"api_path": API_PATH, "task_id": TASK_ID, "script": script}, None
    )
    assert made[0] == 201
    more = await call("POST", "/_sim/tasks", [{"api_path": "/a"}, {"api_path": "/b"}], None)
    assert [task["task_id"] for task in more[1]["tasks"]] == ["task-0", "task-1"]
    assert [(await call.poll(at))[0] for at in (0.0, 1.0, 5.0)] == [503, 200, 200]
    await call("GET", "/none")
    status, told, _ = await call("GET", "/_sim/tasks", bearer=None)
    assert status == 200
    assert (told["polls"], told["unknown"], told["refused"]) == (4, 1, 0)
    assert told["tasks"][0] == {
        "api_path": API_PATH,
        "task_id": TASK_ID,
        "outcome": "failed",
        "created_at": EPOCH,
        "ends_at": EPOCH + 5_000,
        "polls": 3,
        "polled_at": [EPOCH, EPOCH + 1_000, EPOCH + 5_000],
    }


async def test_the_script_of_submissions_and_faults_are_set_and_all_is_forgotten_over_http(
    call: Caller,
) -> None:
    assert (await call("POST", "/_sim/script", {"duration_s": 0, "result": "videos"}))[0] == 200
    await call("POST", "/v/video", {})
    assert "videos" in (await call("GET", "/v/video/task-0"))[1]
    assert (await call("POST", "/_sim/faults", [{"status": 402, "body": "{}"}]))[0] == 200
    assert (await call("GET", "/v/video/task-0"))[0] == 402
    assert (await call("POST", "/_sim/reset"))[0] == 200
    assert (await call("GET", "/_sim/tasks"))[1] == {"tasks": [], "polls": 0, "refused": 0, "unknown": 0}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tasks", b"no json"),
        ("tasks", {"script": {}}),
        ("tasks", {"api_path": "/a", "script": {"outcome": "exploded"}}),
        ("script", {"words": "klingon"}),
        ("faults", {"status": 503}),
    ],
)
async def test_a_script_that_cannot_be_followed_is_refused(call: Caller, path: str, body: object) -> None:
    status, told, _ = await call("POST", f"/_sim/{path}", body)
    assert (status, told["title"]) == (422, "Not a script")


async def test_other_control_paths_are_not_found(call: Caller) -> None:
    assert (await call("GET", "/_sim/nothing"))[0] == 404
    assert (await call("GET", "/_sim/reset"))[0] == 404


async def test_what_is_no_http_is_left_alone(call: Caller) -> None:
    async def never() -> Any:
        raise AssertionError

    await call.upstream({"type": "lifespan"}, never, never)  # type: ignore[arg-type]

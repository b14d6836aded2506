"""A provider that speaks otherwise is described by keys, and what cannot work is refused before the start."""

import pytest

from notifier.config.model import ProviderSettings
from notifier.config.parsers import InvalidValue
from notifier.config.provider_parsers import parse_expression
from notifier.core.polling.provider import ProviderDescription
from tests.config.conftest import Read, Refuse


def test_a_provider_may_speak_in_every_way_otherwise(read: Read) -> None:
    config = read(
        """
        [providers.acme]
        base_url = "https://api.acme.example"
        task_path = "/v1/tasks/{task_id}"
        auth_header = "X-Key"
        auth_value = "Key {key}"
        headers = { X-Runway-Version = "2024-11-06", Accept = "application/json" }
        status = "status"
        id = "id"
        created_at = "createdAt"
        finished_at = ""
        outputs = "output"
        error_code = "failureCode"
        error_title = "failure"
        error_detail = ""
        words.completed = ["SUCCEEDED"]
        words.running = ["PENDING", "THROTTLED", "RUNNING"]
        """
    )
    assert config.providers["acme"].description == ProviderDescription(
        task_path="/v1/tasks/{task_id}",
        auth_header="X-Key",
        auth_value="Key {key}",
        headers={"x-runway-version": "2024-11-06", "accept": "application/json"},
        status="status",
        id="id",
        created_at="createdAt",
        finished_at="",
        outputs="output",
        error_code="failureCode",
        error_title="failure",
        error_detail="",
        words={
            "completed": ("SUCCEEDED",),
            "running": ("PENDING", "THROTTLED", "RUNNING"),
        },
        submit={},
        hint={},
        has_own_task_path=True,
    )
    assert config.providers["mulerouter"] == ProviderSettings()


@pytest.mark.parametrize(
    "path",
    [
        "{api_path}/{task_id}",
        "{task_id}",
        "/v1/tasks/{task_id}",
        "/status?id={task_id}",
        "/{api_path}/x/{task_id}/s",
    ],
)
def test_a_task_path_may_be_any_end_of_a_url(read: Read, path: str) -> None:
    assert (
        read(f"[providers.mulerouter]\ntask_path = '{path}'").providers["mulerouter"].description.task_path
        == path
    )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("task_path = '/v1/tasks'", "must contain {task_id}"),
        ("body = '{\"id\": {task_id}}'\nmethod = 'POST'", "must be JSON such as"),
        ('body = \'{"id": "{task_id}"}\'', 'a GET has none; write method = "POST"'),
        ("method = 'PUT'", 'must be "GET" or "POST"'),
        ("hosts = ['https://h.example']", "entry 1 must be a host such as"),
        ("hosts = ['*.com']", "entry 1 must be a host such as"),
        ("id_signs = '?'", "must be some of /=~"),
        ("http = { 202 = 'runing' }", "must map 202 to one of running, completed, failed, cancelled, lost, "),
        ("http = { 302 = 'running', 700 = 'failed' }", "must contain codes from 200 to 599 only"),
        ("body_kind = 'xml'", "must be one of json, any"),
        ("status = 'lenght(x)'", "there is no function lenght(); did you mean length()?"),
        ("status = 'join(x)'", "join() takes 2 arguments, not 1"),
        ("outputs = 'data.video-url'", 'a name with a hyphen needs double quotes: "video-url"'),
        ("headers = { x-goog-api-key = 'canary' }", 'write x-goog-api-key = { env = "NAME" }'),
        ("result = { path = '/f/{file_id}' }", 'write values = { file_id = "its place in the reply" }'),
        ("result = { outputs = 'x' }", "path: is needed; write path ="),
        ("result.values = { task_id = 'x' }", "must have names of a-z 0-9 _ that are not"),
        ("preset = 'replicat'", 'must be a provider of the catalogue; did you mean "replicate"?'),
        (
            "task_path = '/{task_idd}'",
            'no other placeholders than {api_path} and {task_id}; did you mean "task_id"?',
        ),
        ("task_path = '/{task_id}/{x}'", "no other placeholders than {api_path} and {task_id}"),
        ("task_path = '/{task_id}/{'", "must contain braces only around"),
        ("task_path = '/{task_id}#x'", "must be a path that a URL can end in: "),
        ("task_path = '/{task_id} x'", "must be a path that a URL can end in: "),
        ("task_path = '/../{task_id}'", "must be a path that a URL can end in: "),
        ("task_path = 3", "must be text, not a number"),
        ("auth_header = 'X Key'", "cannot be sent: "),
        ("auth_header = 'Host'", "cannot be sent: "),
        ("auth_value = 'Bearer'", "must contain {key}"),
        ("auth_value = 'Schlüssel {key}'", "cannot be sent: "),
        ("headers = 'x'", "must be a table such as"),
        ("headers = { X = 1 }", "must contain text or secrets"),
        ("headers = { 'X Y' = 'a' }", "cannot be sent: "),
        ('headers = { X = "a\\r\\nY: b" }', "cannot be sent: "),
        ("headers = { Content-Type = 'a' }", "cannot be sent: "),
        ("headers = { X-A = 'a', x-a = 'a' }", "cannot be sent: "),
        ("headers = { authorization = 'canary' }", "must not contain keys"),
        ("headers = { X-Mine = 'a' }\nauth_header = 'x-mine'", "contains the header of the key too"),
        ("status = ''", "must not be empty"),
        ("status = 'a..b'", "must be a JMESPath expression (jmespath.org): "),
        ("outputs = 'nope(@)['", "must be a JMESPath expression (jmespath.org): "),
        (f"id = '{'a.' * 600}a'", "must be a JMESPath expression of at most 1000 characters"),
        (f"id = '{'(' * 900}'", "must be a JMESPath expression (jmespath.org): "),
        ("error_code = ['a']", "must be text, not a list"),
        ("words = ['done']", "must be a table: [providers.mulerouter.words]"),
        ("words.done = ['a']", "words.done: unknown key"),
        ("words.complete = ['a']", 'unknown key; did you mean "completed"?'),
        ("words.completed = 'done'", 'must be a list such as ["done"]'),
        ("words.completed = ['']", "must not be empty"),
        ("words.completed = ['Failed']", 'words.completed: "failed" is listed in completed and in failed'),
        ("words.failed = ['Succeeded']", 'words.failed: "Succeeded" is listed in completed and in failed'),
    ],
)
def test_a_dialect_that_cannot_work_is_refused(refuse: Refuse, line: str, fault: str) -> None:
    [told] = refuse(f"[providers.mulerouter]\n{line}")
    assert fault in told
    assert "canary" not in told
    assert told.startswith("config.toml:2: providers.mulerouter.")


@pytest.mark.parametrize("expression", ["a b", "a["])
def test_a_bad_expression_says_why_in_whole_words(expression: str) -> None:
    """The library goes on in lines that are not shown."""
    with pytest.raises(InvalidValue) as refused:
        parse_expression(expression)
    assert not str(refused.value).endswith(":")
    assert "for expression" not in str(refused.value)

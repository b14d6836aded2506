"""docs/PROVIDERS.md, made from the catalogue. ``python -m tests.providers_page`` writes it.

The verdicts on it are those of the real judge.
"""

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from notifier.cli.check_descriptions import judge_answer, name_state
from notifier.config.load import load
from notifier.config.model import ProviderSettings
from notifier.core.exchange import HttpReply
from notifier.providers.catalogue import list_presets, read_preset

PAGE = Path(__file__).parents[1] / "docs" / "PROVIDERS.md"
MAX_COLUMNS = 118
KINDS = (
    "queued",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "moderated",
    "unknown",
    "throttled",
    "refused",
)

_INTRO = """\
# Providers

Made by `python -m tests.providers_page` from `notifier/providers/*.toml`; a test holds it current.

notifier knows these providers. A table with the name of one and a key are enough:

```toml
[providers.replicate]
api_key = { env = "REPLICATE_API_TOKEN" }   # may be left out where the variable is the usual one
```

Then pipe the provider's own reply to a submission into `notifier watch - --callback URL`, give it to the
Python client as `reply=…`, or to `POST /v1/watches` as `"reply": {…}`. The callback is the same as for any
other provider.

`notifier providers NAME` prints the table of one with its sources, what is not confirmed and what the keys
cannot say. Keys of your own table win over it, one by one. A second account is two lines:

```toml
[providers.second]
preset = "replicate"
api_key = { file = "second.key" }
```

A provider that is not listed is a table too: [CONFIGURATION.md](CONFIGURATION.md#add-a-provider).
`notifier try` shows what a table makes of a reply before it is used. Not possible without code: keys that
must be made for each request (JWT of Kling's key pairs, OAuth of Google service accounts, AWS SigV4). A token
in a file that another program renews works.

## At a glance

"api_path" says whether a registration must give one because the reply to the submission does not have it.
"""

_VERDICTS = """\
## What replies mean

Each cell is what notifier's judge makes of the golden reply of that kind; "-" where the provider has none.
`retry` ends nothing: polling goes on until the deadline, and the trouble of the watch quotes the reply.
"""


def page() -> str:
    """Write the page."""
    settings = {name: settings_of(name) for name in list_presets()}
    parts = [_INTRO, *_overview(settings), "", _VERDICTS, *_verdicts(settings), ""]
    for name in list_presets():
        parts += [*_section(name), ""]
    return "\n".join(parts).rstrip() + "\n"


def settings_of(name: str) -> ProviderSettings:
    """What ``[providers.NAME]`` means, with nothing in it."""
    key = name.replace("-", "_")
    return load(None, {f"NOTIFIER_PROVIDERS__{key.upper()}__PRESET": name}).providers[key]


def _overview(settings: Mapping[str, ProviderSettings]) -> Iterator[str]:
    yield "| provider | key | api_path | links live | pace | its own webhooks |"
    yield "|---|---|---|---|---|---|"
    for name in settings:
        preset = read_preset(name)
        limits, submit = preset["limits"], preset["provider"]["submit"]
        path = "no"
        if settings[name].description.needs_api_path:
            path = "no, the reply has it" if {"poll_url", "api_path"} & set(submit) else "yes"
        variable = preset["provider"].get("api_key", {}).get("env")
        key = f"`{variable}`" if variable else "a file"
        scope = {"task": "a URL a task", "account": "for the account"}.get(
            preset["webhooks"]["scope"], "none seen"
        )
        cells = [f"[{name}](#{name})", key, path, limits["result_life"], limits["pace"], scope]
        yield f"| {' | '.join(map(_cell, cells))} |"


def _verdicts(settings: Mapping[str, ProviderSettings]) -> Iterator[str]:
    yield f"| provider | {' | '.join(KINDS)} | result |"
    yield "|---|" + "---|" * (len(KINDS) + 1)
    for name, provider in settings.items():
        cells = [_states(name, provider, kind) for kind in (*KINDS, "result")]
        yield f"| {name} | {' | '.join(cells)} |"


def _states(name: str, provider: ProviderSettings, kind: str) -> str:
    preset = read_preset(name)
    task_id = preset["example"]["task_id"]
    states = {}
    for golden in preset["golden"]:
        if golden["name"].partition("-")[0] == kind:
            reply = HttpReply(golden["http"], golden.get("headers", {}), golden["body"].encode())
            is_result = golden.get("step") == "result"
            states[name_state(judge_answer(provider, reply, task_id, is_result=is_result))] = True
    return ", ".join(states) or "-"


def _section(name: str) -> Iterator[str]:
    preset = read_preset(name)
    webhooks, limits = preset["webhooks"], preset["limits"]
    yield f"## {name}"
    yield ""
    limits_text = f"Limit: {limits['rate']}. Tasks: {limits['task_life']}."
    yield from _wrap(f"{preset['about']} Checked on {preset['checked']}. {limits_text}")
    yield ""
    lacks = ", ".join(webhooks.get("lacks", []))
    if webhooks["scope"] in {"task", "account"}:
        yield from _wrap(f"Its own webhooks send {webhooks['sends']}. notifier adds {lacks}.")
    else:
        yield "No webhooks of its own were seen."
    yield ""
    yield "```console"
    yield _example(name, preset)
    yield "```"


def _example(name: str, preset: dict[str, Any]) -> str:
    """Return one line: a submission, and the registration of its reply."""
    provider, submit = preset["provider"], preset["example"]["submit"]
    variable = provider.get("api_key", {}).get("env", "TOKEN")
    value = provider.get("auth_value", "Bearer {key}").replace("{key}", f"${variable}")
    headers = {provider.get("auth_header", "Authorization"): value, "Content-Type": "application/json"}
    options = [f'-H "{header}: {text}"' for header, text in (headers | submit.get("headers", {})).items()]
    is_path_needed = "api_path" in preset["example"] and "poll_url" not in provider["submit"]
    path = f" {preset['example']['api_path']}" if is_path_needed else ""
    url, body = f"{provider['base_url']}{submit['path']}", shlex.quote(submit["body"])
    return (
        f"$ curl -sS {url} {' '.join(options)} -d {body}"
        f" | notifier watch{path} - --provider {name} --callback http://127.0.0.1:9001/hook"
    )


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, MAX_COLUMNS, break_on_hyphens=False, break_long_words=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""The README's quick start works as it is written, against a simulated MuleRouter."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
KEY = "sk-mr-e2e-canary-0123456789"
Start = Callable[..., "subprocess.Popen[str]"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine"),
]


def steps() -> list[str]:
    """What is typed, in order, without the installation and the demo, which have tests of their own."""
    section = README.partition("## Quick start")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = [line.strip() for block in blocks[2:] for line in re.split(r"^\$ ", block, flags=re.M)[1:]]
    assert "pipx" in blocks[0]
    assert "demo" in blocks[1]
    return lines


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command of a shell in a folder where `notifier` is found."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "notifier").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m notifier "$@"\n')
    (tools / "notifier").chmod(0o755)
    place = tmp_path / "place"
    place.mkdir()
    (place / "mulerouter.key").write_text(KEY)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MULE"))}
    environ = {**kept, "HOME": str(tmp_path), "PATH": f"{tools}:{os.environ['PATH']}", "NO_PROXY": "*"}
    started: list[subprocess.Popen[str]] = []

    def call(command: str, **more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}" if "\n" not in command else command],
            cwd=place, env={**environ, **more}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield call
    for process in started:
        process.terminate()
        process.communicate()


def line_with(stream: IO[str] | None, word: str) -> str:
    """The first line that has this word in it."""
    assert stream is not None
    return next(line for line in stream if word in line)


def test_from_nothing_to_a_verified_callback(start: Start) -> None:
    """Copied and pasted; only addresses and ports are others."""
    init, check, run, listen, submit, register = steps()
    simulator = start(f'"{sys.executable}" -m notifier.simulator --key {KEY}')
    upstream = json.loads(line_with(simulator.stdout, "url"))["url"]
    given = {
        "MULEROUTER_BASE_URL": upstream,
        "MULEROUTER_API_KEY": KEY,
        "NOTIFIER_SERVER__LISTEN": "127.0.0.1:0",
    }
    quick = {"NOTIFIER_POLLING__FIRST_AFTER": "200ms", "NOTIFIER_POLLING__MIN_INTERVAL": "200ms"}
    for command in (init, check):
        process = start(command, **given)
        told, complaint = process.communicate()
        assert process.returncode == 0, complaint
    assert "the key is accepted" in told
    daemon = start(run, **given, **quick)
    address = json.loads(line_with(daemon.stdout, "daemon.ready"))["url"]
    receiver = start(listen.replace("9001", "0"), **given)
    hook = re.findall(r"listening on (http://\S+?),", line_with(receiver.stderr, "listening on"))[0]
    typed = f"set -e\n{submit}\n{register}"
    typed = typed.replace("https://api.mulerouter.ai", upstream).replace("http://127.0.0.1:8484", address)
    registering = start(typed.replace("http://127.0.0.1:9001", hook))
    answer, complaint = registering.communicate()
    assert registering.returncode == 0, complaint
    assert json.loads(answer)["state"] == "watching"
    line = line_with(receiver.stdout, "task.completed")
    assert "verified" in line
    assert "NOT" not in line

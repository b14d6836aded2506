"""The running daemon keeps to its own OpenAPI, whatever is asked of it: schemathesis tries."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess

pytestmark = pytest.mark.e2e

COMMAND = Path(sys.executable).with_name("schemathesis")
SETTINGS = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("EXAMPLES", "3")
PHASES = "examples,coverage,fuzzing"


async def tried(url: str, folder: Path) -> str:
    """Have schemathesis try; returns what it found, or nothing."""
    trying = await asyncio.create_subprocess_exec(
        COMMAND, "--config-file", SETTINGS, "run", f"{url}/openapi.json",
        "--exclude-path", "/v1/events",  # it has no end, and what tries waits for one
        "--max-examples", EXAMPLES, "--phases", PHASES, "--no-color", "--suppress-health-check", "all",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await trying.communicate()
    return "" if trying.returncode == 0 else said.decode()


@pytest.mark.fault(83, 84)
async def test_every_answer_is_one_that_the_description_names(tmp_path: Path) -> None:
    """Status, headers and shape, for good and bad requests of every operation; never a 500."""
    daemon = DaemonProcess(tmp_path, upstream_url="http://127.0.0.1:9")
    await daemon.start()
    try:
        found = await tried(daemon.url, tmp_path)
    finally:
        status = await daemon.end()
    assert found == ""
    assert status == 0
    assert [line for line in daemon.lines if line["level"] in ("error", "critical")] == []

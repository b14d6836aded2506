"""The stage for each test; without a browser they are skipped, with the reason in words."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.stage import Stage, staged
from tools.chromium import WHY_NOT


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """What the browser complains of fails the test: a policy that was broken, an error in a script."""
    if WHY_NOT is not None:
        pytest.skip(WHY_NOT)
    async with staged(tmp_path, answers=[500]) as built:
        yield built
    assert built.complaints == []

"""Verifiers of Standard Webhooks that others wrote: what a receiver may have in its hands."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which

import standardwebhooks
import svix.webhooks

Verifier = Callable[[str, Mapping[str, str], bytes], bool]
"""Whether a message is taken: by the secret, its headers and its body. Reads the clock of this machine."""

NODE_FOLDER = Path(__file__).with_name("node")
NODE_MODULES = NODE_FOLDER / "node_modules"
HOW_TO_GET_THEM = "`npm ci --prefix tests/node`, as `make test` does where there is npm"


def by_standardwebhooks(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """PyPI ``standardwebhooks``."""
    try:
        standardwebhooks.Webhook(secret).verify(body, dict(headers))
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def by_svix(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """PyPI ``svix``."""
    try:
        svix.webhooks.Webhook(secret).verify(body, dict(headers))
    except svix.webhooks.WebhookVerificationError:
        return False
    return True


def by_npm(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """npm ``standardwebhooks``, under node."""
    asked = {"secret": secret, "headers": dict(headers), "body": body.decode()}
    done = _node(json.dumps(asked))
    assert done.returncode == 0, done.stderr
    answer: bool = json.loads(done.stdout)
    return answer


def npm_is_missing() -> str | None:
    """Why the npm verifier cannot be asked, with the fix; None when it can."""
    if which("node") is None:
        return "node is not installed"
    if _node("").returncode == 2:
        return f"no standardwebhooks of npm: {HOW_TO_GET_THEM}"
    return None


def _node(asked: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", str(NODE_FOLDER / "verify.cjs")],
        input=asked,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

"""The fake daemon of the commands' tests serves the client's tests too."""

from tests.cli.conftest import daemon

__all__ = ["daemon"]

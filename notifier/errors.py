"""Define the errors that notifier raises, each with a cause, a fix and an exit status.

Network failures are not among them: they are returned as values (``core/exchange.py``).
"""

from typing import ClassVar

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code


class NotifierError(Exception):
    """An error with a code for programs, and a cause and a fix for people, of one line each."""

    code: str = "internal"
    exit_status: ClassVar[int] = 70

    def __init__(self, cause: str, fix: str = "") -> None:
        super().__init__(f"{cause}; {fix}" if fix else cause)
        self.cause = cause
        self.fix = fix


class DatabaseUnusable(NotifierError):
    """The file is foreign, corrupt, newer than this program, or cannot be opened. It was not changed."""

    code = "database_unusable"
    exit_status = 78


class DatabaseBusy(NotifierError):
    """Another daemon holds the database."""

    code = "database_busy"
    exit_status = 75


class StoreUnavailable(NotifierError):
    """The store cannot execute this write now. Nothing was stored; a later attempt may succeed.

    ``fix`` replaces the remedy of the cause where the situation needs another.
    """

    code = "store_unavailable"

    def __init__(self, reason: Cause, fix: str | None = None) -> None:
        super().__init__(reason.text(), reason.fix() if fix is None else fix)
        self.reason = reason

    def log_fields(self) -> dict[str, str]:
        """Return what a line of the log says of it."""
        return {"cause": self.cause, "code": self.reason.code, "fix": self.fix}


class StoreClosed(StoreUnavailable):
    """The store is closed; a write can succeed only after the next start."""

    def __init__(self, reason: Cause | None = None) -> None:
        super().__init__(Cause(Code.STORE_CLOSED) if reason is None else reason)


class StoreFull(StoreUnavailable):
    """The disk is full; nothing of the write was stored."""

    code = "disk_full"

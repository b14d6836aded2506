"""The faults that notifier itself raises: each says the cause and the fix, and how a process ends by it.

Network trouble is not among them: it comes back as a value (``core/replies.py``).
"""

from typing import ClassVar

from notifier.core.causes.cause import Cause
from notifier.core.causes.table import Code


class NotifierError(Exception):
    """A fault with a code for programs, and a cause and a fix for a person, each one line."""

    code: str = "internal"
    exit_status: ClassVar[int] = 70

    def __init__(self, cause: str, fix: str = "") -> None:
        super().__init__(f"{cause}; {fix}" if fix else cause)
        self.cause = cause
        self.fix = fix


class DatabaseUnusable(NotifierError):
    """The file is foreign, corrupt, newer than this program, or cannot be opened. It was not touched."""

    code = "database_unusable"
    exit_status = 78


class DatabaseBusy(NotifierError):
    """Another daemon holds the database."""

    code = "database_busy"
    exit_status = 75


class StoreUnavailable(NotifierError):
    """The store cannot take this write now; nothing of it was kept. Trying again later may work.

    ``fix`` replaces the remedy of the cause where the situation asks for another.
    """

    code = "store_unavailable"

    def __init__(self, reason: Cause, fix: str | None = None) -> None:
        super().__init__(reason.text(), reason.fix() if fix is None else fix)
        self.reason = reason

    def log_fields(self) -> dict[str, str]:
        """Return what a line of the log says of it."""
        return {"cause": self.cause, "code": self.reason.code, "fix": self.fix}


class StoreClosed(StoreUnavailable):
    """The store takes no writes any more; trying again would not work before the next start."""

    def __init__(self, reason: Cause | None = None) -> None:
        super().__init__(Cause(Code.STORE_CLOSED) if reason is None else reason)


class StoreFull(StoreUnavailable):
    """The disk is full; nothing of the write was kept."""

    code = "disk_full"

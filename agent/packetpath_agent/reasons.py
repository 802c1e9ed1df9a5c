"""Why a subject could not be read, from the error that stopped it."""

import errno
from collections.abc import Callable
from typing import TypeVar

from kubectl_packetpath.snapshot.absent import Absent, Why
from packetpath_agent.wire import InterruptedDumpError

T = TypeVar("T")
NOT_LOADED = {
    errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EINVAL, errno.ENOPROTOOPT,
    errno.ESOCKTNOSUPPORT,
}  # fmt: skip
READING = (OSError, InterruptedDumpError, ValueError, LookupError, TypeError)
"""What may go wrong while a subject is read; TypeError: a message shorter than its kind says."""


def why_absent(error: Exception) -> Absent:
    """The reason in an error."""
    if isinstance(error, PermissionError):
        return Absent(why=Why.NOT_PERMITTED, detail=str(error))
    if isinstance(error, OSError):
        why = Why.NOT_LOADED if error.errno in NOT_LOADED else Why.UNREADABLE
        return Absent(why=why, detail=str(error))
    if isinstance(error, InterruptedDumpError):
        return Absent(why=Why.UNREADABLE, detail="the table kept changing while it was read")
    return Absent(why=Why.UNPARSABLE, detail=f"{type(error).__name__}: {error}")


def attempted(read: Callable[[], T]) -> T | Absent:
    """What was read, or why it was not."""
    try:
        return read()
    except READING as error:
        return why_absent(error)

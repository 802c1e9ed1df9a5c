"""Why a subject is not in a snapshot: an absence is data, never an empty table.

An empty routing table and one that could not be read lead to opposite answers.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Why(StrEnum):
    """The reasons for which a subject may be missing."""

    NOT_ASKED = "not_asked"
    NOT_PERMITTED = "not_permitted"
    NOT_LOADED = "not_loaded"
    """The kernel module or feature is not there, so the kernel does nothing of the kind either."""
    UNREADABLE = "unreadable"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A subject that is not here, and why."""

    why: Why
    detail: str = ""


Section = tuple[T, ...] | Absent
"""A kernel table read whole, or the reason why it was not."""

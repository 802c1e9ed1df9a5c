"""What a finding is: a problem that an answer shows, named as a sentence, with its evidence.

A check reads an answer and nothing else, so that a recording shows the same findings as the cluster did.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from kubectl_packetpath.cluster.answer import Answer, Answered


class Severity(StrEnum):
    """How much it matters."""

    PROBLEM = "problem"
    """It is so, and it does harm."""
    SUSPICION = "suspicion"
    """It looks so, as far as could be looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem in one way of an answer."""

    code: str
    """`PP501`; a code is for ever."""
    title: str
    """The problem as a sentence."""
    severity: Severity
    subject: str
    """What has it: a pod as `namespace/name`."""
    message: str
    """What is so here, in one sentence."""
    remedy: str = ""
    """The command to try next."""
    evidence: tuple[str, ...] = ()
    paths: tuple[int, ...] = ()
    """The paths of the way that show it, counted from 0."""


Look = Callable[[Answer, Answered], Iterator[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Looks for one problem."""

    code: str
    title: str
    look: Look

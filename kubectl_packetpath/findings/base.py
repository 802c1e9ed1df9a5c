"""What a finding is: a problem that an answer shows, named as a sentence, with its place, its evidence and what to do.

A check reads an answer and nothing else, so that a recording shows the same findings as the cluster did.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kubectl_packetpath.cluster.answer import Answer, Answered
from kubectl_packetpath.cluster.http.live.drift import View
from kubectl_packetpath.trace import Fact

MOST_REMEDIES = 3


class Severity(StrEnum):
    """How much it matters."""

    PROBLEM = "problem"
    """It is so, and it does harm."""
    SUSPICION = "suspicion"
    """It looks so, as far as could be looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem of an answer, or of one way in it."""

    code: str
    """`PP501`; a code is for ever."""
    id: str
    """`nothing-listens`: the code as a word, for people and for tests."""
    title: str
    """The problem as a sentence."""
    severity: Severity
    subject: str
    """What has it: a pod as `namespace/name`, a Service, a node."""
    message: str
    """What is so here, in one sentence."""
    node: str = ""
    """Where it is; empty where it is not a matter of one node."""
    namespace: str = ""
    """The network namespace there: `host`, or a pod as `namespace/name`."""
    remedy: tuple[str, ...] = ()
    """What to run next, the best first; at most three."""
    evidence: tuple[Fact, ...] = ()
    paths: tuple[int, ...] = ()
    """The paths of the way that show it, counted from 0; empty: it is not a matter of a path."""


Look = Callable[[Answer, Answered], Iterator[Finding]]
LookAtAll = Callable[[Answer], Iterator[Finding]]
LookAtProxy = Callable[[View], Iterator[Finding]]


def _nothing(_answer: Answer, _way: Answered) -> Iterator[Finding]:
    yield from ()


def _nothing_at_all(_answer: Answer) -> Iterator[Finding]:
    yield from ()


def _nothing_of_proxies(_view: View) -> Iterator[Finding]:
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Looks for one problem."""

    code: str
    id: str
    title: str
    look: Look = _nothing
    """In one way in."""
    look_at_all: LookAtAll = _nothing_at_all
    """In the answer as a whole: what no packet shows."""
    look_at_proxy: LookAtProxy = _nothing_of_proxies
    """In what one proxy says that it has loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The name of a problem, from which its findings are made."""

    code: str
    id: str
    title: str

    def found(
        self, subject: str, message: str, *, severity: Severity = Severity.PROBLEM, **more: Any
    ) -> Finding:
        """It is here; `more` are fields of a finding."""
        told = {**more, "remedy": tuple(more.get("remedy", ()))[:MOST_REMEDIES]}
        return Finding(
            code=self.code,
            id=self.id,
            title=self.title,
            severity=severity,
            subject=subject,
            message=message,
            **told,
        )

    def check(self, look: Look = _nothing, look_at_all: LookAtAll = _nothing_at_all) -> Check:
        """The check for it."""
        return Check(code=self.code, id=self.id, title=self.title, look=look, look_at_all=look_at_all)

    def check_of_proxies(self, look: LookAtProxy) -> Check:
        """The check for it, where a proxy's own word shows it."""
        return Check(code=self.code, id=self.id, title=self.title, look_at_proxy=look)

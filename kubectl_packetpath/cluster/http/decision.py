"""What becomes of a request: the rule that takes it, those that do not and why, and where it goes on.

One shape for Ingress and Gateway API, so whoever tells it needs to know neither.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from kubectl_packetpath.cluster.http.request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An object by kind and name."""

    kind: str
    namespace: str = ""
    name: str = ""
    group: str = ""

    def __str__(self) -> str:
        """`Ingress shop/web`."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


class Fate(StrEnum):
    """What became of a rule."""

    CHOSEN = "chosen"
    OUTRANKED = "outranked"
    """It matches, and another one comes first."""
    NOT_MATCHED = "not matched"
    NOT_SERVED = "not served"
    """No controller applies it, or not where the request comes in."""
    UNDECIDED = "undecided"
    """Only the controller knows: its documentation does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One rule, and what became of it."""

    source: Reference
    place: str
    """Where it stands in the object: `rules[0].paths[1]`."""
    words: str
    """The rule: `shop.example.com /cart (Prefix)`."""
    fate: Fate
    why: str

    @property
    def title(self) -> str:
        """The rule with its object."""
        return f"{self.source} {self.place}: {self.words}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where a rule sends requests."""

    target: Reference
    port: str = ""
    """A number or a port's name, as written; empty for what is no Service."""

    def __str__(self) -> str:
        """`Service shop/web:80`."""
        return f"{self.target}:{self.port}" if self.port else str(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A backend and how many of the requests it gets."""

    backend: Backend
    weight: Fraction = Fraction(1)
    problem: str = ""
    """Why requests that are sent there fail; empty: nothing is known against it."""
    status: int | None = None
    """What the proxy answers instead, where there is a problem and the specification says."""
    changes: tuple[str, ...] = ()
    """What is changed only on the way to this backend."""


class Result(StrEnum):
    """What the proxy does with the request."""

    FORWARDED = "forwarded"
    REDIRECTED = "redirected"
    ANSWERED = "answered"
    """With an error of its own."""
    REFUSED = "refused"
    """There is no listener for the connection, or none for its server name."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a request at one controller."""

    request: HttpRequest
    result: Result
    reason: str
    """One sentence."""
    status: int | None = None
    """What the client gets from the proxy itself."""
    location: str = ""
    """For REDIRECTED."""
    chosen: Considered | None = None
    shares: tuple[Share, ...] = ()
    considered: tuple[Considered, ...] = ()
    changes: tuple[str, ...] = ()
    """What happens to the request on its way: rewrites, mirrors, header changes, timeouts."""
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """What only the controller knows; with any of these the result is not certain."""

    @property
    def is_certain(self) -> bool:
        """Whether the objects alone decide."""
        return not self.doubts and self.result is not Result.UNKNOWN

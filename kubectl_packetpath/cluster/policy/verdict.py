"""What policies say of a flow, and which rule says so."""

from dataclasses import dataclass
from enum import StrEnum

from kubectl_packetpath.cluster.policy.objects import Action, Direction, PolicyName


class Says(StrEnum):
    """What policies say."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleName:
    """A rule by its place in a policy."""

    policy: PolicyName
    number: int
    """Counted from 1, as people do."""
    name: str = ""
    action: Action = Action.ALLOW

    def __str__(self) -> str:
        """`shop/allow-web rule 1`."""
        return f"{self.policy} rule {self.number}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A rule that was held against the flow."""

    rule: RuleName
    holds: bool | None
    peer: str
    """Which peer matched, or why none does."""
    port: str
    """Which port matched, or why none does."""

    @property
    def why(self) -> str:
        """In one sentence: what matched, or what did not."""
        return "; ".join(part for part in (self.peer, self.port) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What the policies at one end of a flow say."""

    direction: Direction
    pod: str
    """The pod whose policies these are; empty: no pod is there, or one with its node's network."""
    says: Says
    reason: str
    """One sentence."""
    by: RuleName | None = None
    """The rule that decided, where one did."""
    isolated: bool = False
    """A NetworkPolicy selects the pod for this direction, so what no rule opens is closed."""
    policies: tuple[PolicyName, ...] = ()
    """All that select the pod for this direction."""
    looked: tuple[Looked, ...] = ()
    """Every rule that was held against the flow, in the order in which they count."""
    assumed: tuple[str, ...] = ()
    """What the API does not define and most implementations do."""
    unread: bool = False
    """It is unknown since policies may not be read, which is told once for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVerdict:
    """What all policies say of a flow: both ends have to allow it."""

    egress: Side
    ingress: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        """In the order in which a packet comes to them."""
        return self.egress, self.ingress

    @property
    def says(self) -> Says:
        """A denial by one end is enough; what is not known is not allowed."""
        found = {side.says for side in self.sides}
        return next(each for each in (Says.DENIED, Says.UNKNOWN, Says.ALLOWED) if each in found)

    @property
    def deciding(self) -> Side:
        """The end that decides: the one that denies, or is not known, else the one with a policy."""
        worst = [side for side in self.sides if side.says is self.says]
        return next((side for side in reversed(worst) if side.policies), worst[-1])

    @property
    def applies(self) -> bool:
        """Whether any policy has a say, or may have one that was not read."""
        return any(side.policies or side.says is not Says.ALLOWED for side in self.sides)

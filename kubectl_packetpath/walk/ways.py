"""A question about routing, and its answers.

Kernel: include/net/flow.h, include/net/ip_fib.h
"""

from dataclasses import dataclass
from fractions import Fraction

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import PolicyRule, Route
from kubectl_packetpath.trace import Fact
from kubectl_packetpath.walk.route_words import route_text, rule_text, table_name


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteQuery:
    """What routing looks at: the kernel's `flowi4` and `flowi6`."""

    destination: Address
    source: Address | None = None
    """None: not chosen yet (a socket that is not bound)."""
    mark: int = 0
    tos: int = 0
    iif: Link | None = None
    """The device that the packet came in by; None for a local packet."""
    oif: Link | None = None
    """The device that the way out must use; None: any."""
    uid: int | None = None
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    ignore_linkstate: bool = False
    source_chooses: bool = False
    """A socket's source decides between next hops of IPv4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One answer of the routing tables."""

    weight: Fraction | None = Fraction(1)
    """Share of the flows that take this next hop; None below an assumption."""
    type: str
    """`unicast`, `local`, `broadcast`, `anycast`, `multicast`, `blackhole`, `unreachable`, `prohibit`,
    or `none`: no route matches."""
    route: Route | None = None
    rule: PolicyRule | None = None
    """The policy rule that named the table, or that decided by itself."""
    device: Link | None = None
    gateway: Address | None = None
    """The next hop; None where the destination itself is the neighbour."""
    assumed: tuple[str, ...] = ()
    """What could not be decided on the way to this answer."""
    prefix_length: int = 0
    encapsulation: str = ""
    onlink: bool = False

    def facts(self, node: str) -> tuple[Fact, ...]:
        """The rule and the route that decided; the rules that every host has are not worth telling."""
        facts = []
        if self.rule is not None and (self.route is None or self.rule.priority not in {0, 32766, 32767}):
            key = f"{node} rule {self.rule.priority}"
            facts.append(Fact(section="rule", key=key, text=rule_text(self.rule)))
        if self.route is not None:
            table = table_name(self.route.table)
            key = f"{node} table {table} {self.route.destination}"
            facts.append(Fact(section="route", key=key, text=route_text(self.route, self.device)))
        return tuple(facts)

"""Which way on does a packet take: policy rules, tables, prefixes and next hops.

The same questions are asked by the routing stage, by `addrtype`, `rpfilter` and nft's `fib`.

Kernel: net/core/fib_rules.c, net/ipv4/fib_rules.c, fib_trie.c, fib_semantics.c, route.c; net/ipv6/route.c
"""

from dataclasses import dataclass
from fractions import Fraction

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import PolicyRule, Route
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact


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
        """The rule and the route that decided."""
        raise NotImplementedError


def fib_lookup(state: NamespaceState, query: RouteQuery) -> tuple[Way, ...]:
    """All ways that the tables allow, one per next hop, weights summing to 1."""
    raise NotImplementedError


def address_type(state: NamespaceState, address: Address, device: Link | None = None) -> str:
    """What kind of address this is here: UNSPEC, UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST, BLACKHOLE,
    UNREACHABLE, PROHIBIT or THROW; with a device, LOCAL and others only if they belong to that device."""
    raise NotImplementedError

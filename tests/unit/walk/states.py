"""Namespaces and nodes written down in a test: plain records behind the interface that the walk reads."""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import cast

from kubectl_packetpath.packet import TCP, Address, Connection, Packet
from kubectl_packetpath.snapshot import NamespacePeer, PodReference
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.conntrack import FlowKey
from kubectl_packetpath.snapshot.ipvs import VirtualServer, client_of, written
from kubectl_packetpath.snapshot.links import Bridge, BridgePort, InterfaceAddress, Link
from kubectl_packetpath.snapshot.routing import (
    ForwardingEntry,
    Neighbour,
    NextHop,
    NexthopObject,
    PolicyRule,
    Route,
)
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, XfrmPolicy, XfrmState
from kubectl_packetpath.walk.here import Here, Hook

NOTHING = Absent(why=Why.NOT_LOADED)
LO = Link(index=1, name="lo", flags=0x49, mac="00:00:00:00:00:00", mtu=65536)
RULES = tuple(
    PolicyRule(family=family, priority=priority, table=table)
    for family, priority, table in (
        (4, 0, 255),
        (4, 32766, 254),
        (4, 32767, 253),
        (6, 0, 255),
        (6, 32766, 254),
    )
)


def device(index: int, name: str, **more: object) -> Link:
    """A device that is up."""
    values: dict[str, object] = {"mac": f"02:00:00:00:00:{index:02x}", "mtu": 1500, "flags": 0x10043, **more}
    return Link(index=index, name=name, **values)  # type: ignore[arg-type]


def route(text: str) -> Route:
    """`[TYPE] PREFIX [via A] [dev INDEX] [metric N] [table N] [src A] [tos N] [mtu N]`."""
    words = text.split()
    kind = words.pop(0) if words[0].isalpha() and words[0] != "default" else "unicast"
    prefix = words.pop(0)
    options = dict(zip(words[::2], words[1::2], strict=True))
    via = options.get("via")
    default = "::/0" if via and ":" in via else "0.0.0.0/0"
    hop = (
        NextHop(device=int(options["dev"]), gateway=ip_address(via) if via else None)
        if "dev" in options
        else None
    )
    return Route(
        destination=ip_network(default if prefix == "default" else prefix),
        type=kind,
        table=int(options.get("table", 255 if kind in {"local", "broadcast"} else 254)),
        metric=int(options.get("metric", 0)),
        tos=int(options.get("tos", 0)),
        preferred_source=ip_address(options["src"]) if "src" in options else None,
        mtu=int(options["mtu"]) if "mtu" in options else None,
        protocol=2 if kind in {"local", "broadcast"} else 3,
        hops=(hop,) if hop else (),
    )


@dataclass(slots=True, kw_only=True, eq=False)
class WrittenState:
    """A namespace without rules, as a test wrote it."""

    identity: int = 1
    is_host: bool = True
    pod: PodReference | None = None
    peers: tuple[NamespacePeer, ...] = ()
    devices: tuple[Link, ...] = (LO,)
    owned: tuple[InterfaceAddress, ...] = ()
    ways: tuple[Route, ...] = ()
    policies: tuple[PolicyRule, ...] = RULES
    objects: tuple[NexthopObject, ...] = ()
    known: tuple[Neighbour, ...] = ()
    forwarding: tuple[ForwardingEntry, ...] = ()
    listening: tuple[Socket, ...] | Absent = ()
    settings: dict[str, str] = field(default_factory=dict)
    flows: dict[FlowKey, bytes] = field(default_factory=dict)
    encryption: tuple[XfrmPolicy, ...] = ()
    associations: tuple[XfrmState, ...] = ()
    guarded: tuple[WireguardDevice, ...] = ()
    socket_places: tuple[str, ...] | Absent = ()
    virtual: tuple[VirtualServer, ...] | Absent = ()
    balanced: tuple[bytes, ...] = ()

    def links(self) -> tuple[Link, ...]:
        """As written."""
        return self.devices

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """As written."""
        return self.owned

    def policy_rules(self) -> tuple[PolicyRule, ...]:
        """As written."""
        return self.policies

    def routes(self) -> tuple[Route, ...]:
        """As written."""
        return self.ways

    def nexthops(self) -> tuple[NexthopObject, ...]:
        """As written."""
        return self.objects

    def neighbours(self) -> tuple[Neighbour, ...]:
        """As written."""
        return self.known

    def fdb(self) -> tuple[ForwardingEntry, ...]:
        """As written."""
        return self.forwarding

    def sockets(self) -> tuple[Socket, ...] | Absent:
        """As written."""
        return self.listening

    def sysctl(self, key: str) -> str | None:
        """As written."""
        return self.settings.get(key)

    def conntrack(self, flow: FlowKey) -> bytes | None:
        """As written."""
        return self.flows.get(flow)

    def conntrack_active(self) -> bool:
        """Where flows were written down."""
        return bool(self.flows)

    def legacy_tables(self) -> Absent:
        """None."""
        return NOTHING

    def nft_tables(self) -> Absent:
        """None."""
        return NOTHING

    def nft_base_chains(self) -> Absent:
        """None."""
        return NOTHING

    def registered_hooks(self) -> Absent:
        """Not told."""
        return NOTHING

    def ipvs(self) -> tuple[VirtualServer, ...] | Absent:
        """As written."""
        return self.virtual or NOTHING

    def ipvs_connections(self, client: Address) -> tuple[bytes, ...]:
        """As written."""
        return tuple(line for line in self.balanced if client_of(line) == written(client))

    def xfrm_policies(self) -> tuple[XfrmPolicy, ...]:
        """As written."""
        return self.encryption

    def xfrm_states(self) -> tuple[XfrmState, ...]:
        """As written."""
        return self.associations

    def wireguard(self) -> tuple[WireguardDevice, ...]:
        """As written."""
        return self.guarded

    def socket_programs(self) -> tuple[str, ...] | Absent:
        """As written."""
        return self.socket_places


@dataclass(slots=True, kw_only=True)
class WrittenNode:
    """A node of such namespaces; the first is the host's."""

    states: tuple[WrittenState, ...]
    name: str = "node-a"
    kernel: str = "6.1"

    def host(self) -> NamespaceState:
        """The first."""
        return cast(NamespaceState, self.states[0])

    def namespace(self, identity: int) -> NamespaceState | None:
        """By number."""
        return next((cast(NamespaceState, s) for s in self.states if s.identity == identity), None)

    def namespaces(self) -> tuple[NamespaceState, ...]:
        """All."""
        return tuple(cast(NamespaceState, state) for state in self.states)


def here(state: WrittenState, hook: Hook = Hook.PREROUTING, **more: object) -> Here:
    """A place at a hook of this namespace."""
    return Here(node="node-a", state=cast(NamespaceState, state), hook=hook, **more)  # type: ignore[arg-type]


def packet(text: str, **more: object) -> Packet:
    """`SOURCE:PORT DESTINATION:PORT`, TCP unless said otherwise."""
    ends = [end.rpartition(":") for end in text.split()]
    values: dict[str, object] = {
        "source": ip_address(ends[0][0].strip("[]")),
        "sport": int(ends[0][2]),
        "destination": ip_address(ends[1][0].strip("[]")),
        "dport": int(ends[1][2]),
        "protocol": TCP,
        **more,
    }
    return Packet(**values)  # type: ignore[arg-type]


def owned(link: int, text: str, **more: object) -> InterfaceAddress:
    """`ADDRESS/LENGTH` on a device."""
    address, _, length = text.partition("/")
    return InterfaceAddress(link=link, address=ip_address(address), prefix_length=int(length), **more)  # type: ignore[arg-type]


__all__ = [
    "Bridge",
    "BridgePort",
    "Connection",
    "WrittenNode",
    "WrittenState",
    "device",
    "here",
    "owned",
    "packet",
    "route",
]

"""Each kind of tunnel between two hosts that a test wrote down: what is sent, and who takes it."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from unit.walk.states import LO, WrittenNode, WrittenState, device, owned, packet, route

from kubectl_packetpath.packet import TCP, Address, Packet
from kubectl_packetpath.snapshot.links import Link, Tunnel, Vxlan
from kubectl_packetpath.snapshot.routing import NTF_SELF, NUD_PERMANENT, ForwardingEntry, Neighbour
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.xfrm import (
    WireguardDevice,
    WireguardPeer,
    XfrmPolicy,
    XfrmState,
    XfrmTemplate,
)
from kubectl_packetpath.trace import StepKind, Verdict
from kubectl_packetpath.walk.explore import NodePath, Originated, ReceivedOn, run

A: Address = ip_address("192.0.2.1")
B: Address = ip_address("192.0.2.2")
INSIDE = {A: "10.0.0.1", B: "10.0.0.2"}
MACS = {A: "02:00:00:00:aa:01", B: "02:00:00:00:aa:02"}
KEYS = {A: "key-of-a", B: "key-of-b"}
TUNNEL = 6


def other(me: Address) -> Address:
    """The host at the other end."""
    return B if me == A else A


def host(me: Address, tunnel: Link | None, **more: Any) -> WrittenNode:
    """A host with an uplink and the tunnel, its route to the other's inside address, and a server."""
    there = other(me)
    inside, theirs = INSIDE[me], INSIDE[there]
    way = f"{theirs}/32 dev {TUNNEL if tunnel else 2}"
    state = WrittenState(
        devices=(LO, device(2, "eth0"), *([tunnel] if tunnel else [])),
        owned=(owned(2, f"{me}/24"), owned(TUNNEL if tunnel else 2, f"{inside}/32")),
        ways=(
            route(f"local {me}/32 dev 2"),
            route(f"local {inside}/32 dev {TUNNEL if tunnel else 2}"),
            route("192.0.2.0/24 dev 2"),
            route(f"{way} src {inside}"),
        ),
        listening=(Socket(family=4, protocol=TCP, address=ip_address("0.0.0.0"), port=80, state=10),),
    )
    return WrittenNode(states=(replace(state, **more),), name=f"node-{'a' if me == A else 'b'}")


def vxlan(me: Address) -> WrittenNode:
    """Flannel."""
    there = other(me)
    settings = Vxlan(vni=1, local=me, port=8472, learning=False)
    link = device(TUNNEL, "flannel.1", kind="vxlan", mac=MACS[me], vxlan=settings)
    mac = MACS[there]
    inside = ip_address(INSIDE[there])
    entry = ForwardingEntry(
        link=TUNNEL,
        mac=mac,
        destination=there,
        state=NUD_PERMANENT,
        flags=NTF_SELF,
    )
    known = Neighbour(link=TUNNEL, address=inside, mac=mac, state=NUD_PERMANENT)
    return host(me, link, forwarding=(entry,), known=(known,))


def fixed(me: Address, kind: str, **more: Any) -> WrittenNode:
    """A tunnel to one peer."""
    settings = Tunnel(local=me if kind != "geneve" else None, remote=other(me), **more)
    return host(me, device(TUNNEL, "tun0", kind=kind, mac=MACS[me], tunnel=settings))


def wireguard(me: Address) -> WrittenNode:
    """One peer that may have the other's inside address."""
    there = other(me)
    peer = WireguardPeer(
        public_key=KEYS[there],
        endpoint=there,
        endpoint_port=51820,
        allowed=(ip_network(f"{INSIDE[there]}/32"),),
    )
    settings = WireguardDevice(link=TUNNEL, listen_port=51820, peers=(peer,), public_key=KEYS[me])
    return host(me, device(TUNNEL, "wg0", kind="wireguard", mac=""), guarded=(settings,))


def ipsec(me: Address) -> WrittenNode:
    """ESP in tunnel mode."""
    there = other(me)
    mine, theirs = (ip_network(f"{INSIDE[each]}/32") for each in (me, there))
    wanted = XfrmTemplate(source=me, destination=there, protocol=50, mode="tunnel")
    back = XfrmTemplate(source=there, destination=me, protocol=50, mode="tunnel")
    return host(
        me,
        None,
        encryption=(
            XfrmPolicy(source=mine, destination=theirs, direction="out", action="allow", templates=(wanted,)),
            XfrmPolicy(source=theirs, destination=mine, direction="in", action="allow", templates=(back,)),
        ),
        associations=tuple(
            XfrmState(source=one, destination=two, protocol=50, spi=spi, mode="tunnel")
            for one, two, spi in ((A, B, 0x100), (B, A, 0x200))
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of tunnel, and the outer packet that it makes of 60 bytes."""

    name: str
    nodes: tuple[WrittenNode, WrittenNode]
    protocol: int
    dport: int | None = None
    vni: int | None = None
    size: int = field(default=0)


CASES = (
    Case(name="vxlan", nodes=(vxlan(A), vxlan(B)), protocol=17, dport=8472, vni=1, size=110),
    Case(
        name="geneve",
        nodes=(fixed(A, "geneve", key=7, port=6081), fixed(B, "geneve", key=7, port=6081)),
        protocol=17,
        dport=6081,
        vni=7,
        size=110,
    ),
    Case(name="ipip", nodes=(fixed(A, "ipip"), fixed(B, "ipip")), protocol=4, size=80),
    Case(
        name="gre",
        nodes=(fixed(A, "gre", key=5, input_key=5), fixed(B, "gre", key=5, input_key=5)),
        protocol=47,
        vni=5,
        size=88,
    ),
    Case(name="wireguard", nodes=(wireguard(A), wireguard(B)), protocol=17, dport=51820, size=124),
    Case(name="ipsec", nodes=(ipsec(A), ipsec(B)), protocol=50, vni=0x100, size=114),
)


def sent(case: Case) -> NodePath:
    """What the first host sends."""
    asked = packet("0.0.0.0:40000 10.0.0.2:80", uid=0, size_bytes=60)
    (path,) = run(case.nodes[0], Originated(namespace=1, packet=asked))
    return path


def taken(case: Case, outer: Packet) -> NodePath:
    """What the second host makes of it."""
    (path,) = run(case.nodes[1], ReceivedOn(namespace=1, device="eth0", packet=outer))
    return path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_outer_packet(case: Case) -> None:
    """Addresses, protocol, port, identifier and length."""
    path = sent(case)

    outer = path.packet
    assert path.ending.verdict is Verdict.SENT
    assert (outer.source, outer.destination, outer.protocol) == (A, B, case.protocol)
    assert (outer.dport, outer.vni, outer.size_bytes) == (case.dport, case.vni, case.size)
    assert str(outer.innermost).endswith("10.0.0.2:80")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_other_host_delivers_what_is_inside(case: Case) -> None:
    """Both connections are remembered: the outer and the inner one."""
    path = taken(case, sent(case).packet)

    assert path.ending.verdict is Verdict.DELIVERED
    assert path.packet.inner is None
    assert str(path.packet.source) == "10.0.0.1"
    kinds = {step.kind for hop in path.hops for step in hop.steps}
    assert kinds & {StepKind.DECAPSULATED, StepKind.DECRYPTED}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_host_without_the_tunnel_drops_it(case: Case) -> None:
    """With the reason, not as a refused connection."""
    bare = Case(name="", nodes=(case.nodes[0], host(B, None)), protocol=case.protocol)

    path = taken(bare, sent(case).packet)

    assert path.ending.verdict is Verdict.DROPPED
    assert path.ending.reason.startswith(("no ", "node-b has no"))

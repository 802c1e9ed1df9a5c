"""The rules of a real kube-proxy, loaded into a namespace and walked: every endpoint with its exact share."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from ipaddress import ip_address
from pathlib import Path

import pytest
from kernel.nftables.reader import read, recording

from kubectl_packetpath.packet import TCP, Connection, Packet, State
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.recorded import RecordedNamespace
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.nftables.chains import run_base
from testbed.netns import OWN, Namespace, succeed

pytestmark = pytest.mark.kernel
FIXTURES = Path(__file__).with_name("fixtures")
NAMESPACE = Namespace(name=f"{OWN}nftkp")
THIRD = Fraction(1, 3)
LOADERS = {"nftables": "nft -f -", "iptables": "iptables-nft-restore"}
FILES = {"nftables": "kube-proxy.nft", "iptables": "kube-proxy.iptables"}
WEB, ITP = "10.96.42.245", "10.96.10.50"
STEP = Fraction(1, 1 << 31)
"""The iptables match knows a probability only so exactly."""
ETH0 = Link(index=2, name="eth0", flags=0x1003)
FROM_POD, FROM_OUTSIDE = "10.244.0.9", "192.0.2.1"
MASQUERADE_MARK = 0x4000


@pytest.fixture(scope="module", params=sorted(LOADERS))
def node(request: pytest.FixtureRequest) -> Iterator[tuple[str, Here]]:
    """The proxy's mode, and the place where a packet comes in."""
    if NAMESPACE.exists():
        NAMESPACE.delete()
    NAMESPACE.create()
    try:
        rules = (FIXTURES / FILES[request.param]).read_text()
        succeed([*NAMESPACE.enter, *LOADERS[request.param].split()], stdin=rules)
        record = recording(
            read(NAMESPACE), links=(ETH0,), addresses=(), routes=(), rules=(), nexthops=(), sysctls=()
        )
        state = RecordedNamespace(record)
        yield request.param, Here(node="n", state=state, hook=Hook.PREROUTING, in_device=ETH0)
    finally:
        NAMESPACE.delete()


def new(source: str, destination: str) -> Packet:
    """The first packet of a connection to port 80."""
    packet = Packet(
        source=ip_address(source), destination=ip_address(destination), protocol=TCP, sport=40000, dport=80
    )
    flow = packet.flow
    return replace(packet, connection=Connection(state=State.NEW, original=flow, reply=flow.reversed))


def through_nat(here: Here, packet: Packet) -> list[Outcome]:
    """What the proxy's NAT chain of this hook makes of it."""
    chains = here.state.nft_base_chains()
    assert not isinstance(chains, Absent)
    (chain,) = (
        chain
        for chain in chains
        if chain.family == 2 and chain.hook is not None and (chain.hook.number, chain.hook.type) == (0, "nat")
    )
    return list(run_base(here, chain, packet, None))


def test_every_endpoint_has_its_share(node: tuple[str, Here]) -> None:
    """Three endpoints, a third each, whichever rules say so."""
    mode, here = node

    outcomes = through_nat(here, new(FROM_POD, WEB))

    found = {str(outcome.packet.destination): outcome.weight for outcome in outcomes}
    assert sorted(found) == ["10.244.0.2", "10.244.1.2", "10.244.2.2"]
    assert sum(weight or 0 for weight in found.values()) == 1
    slack = STEP if mode == "iptables" else 0
    assert all(weight is not None and abs(weight - THIRD) <= slack for weight in found.values())
    assert {outcome.packet.dport for outcome in outcomes} == {8080}
    assert {outcome.packet.mark for outcome in outcomes} == {0}


def test_clients_from_outside_are_marked_for_masquerading(node: tuple[str, Here]) -> None:
    """They come from no pod of the cluster."""
    _, here = node

    outcomes = through_nat(here, new(FROM_OUTSIDE, WEB))

    assert {outcome.packet.mark for outcome in outcomes} == {MASQUERADE_MARK}


def test_a_local_traffic_policy_has_one_way(node: tuple[str, Here]) -> None:
    """Only the endpoint of the node itself is left."""
    _, here = node

    (outcome,) = through_nat(here, new(FROM_POD, ITP))

    assert outcome.weight == 1
    assert outcome.packet.dport == 8080


def test_an_address_that_is_no_service_passes(node: tuple[str, Here]) -> None:
    """Nothing happens to it."""
    packet = new(FROM_POD, "10.96.200.200")

    (outcome,) = through_nat(node[1], packet)

    assert (outcome.packet, outcome.verdict) == (packet, "accept")

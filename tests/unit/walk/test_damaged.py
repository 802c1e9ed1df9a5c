"""Rules whose bytes were changed: the walk ends with some verdict, and is never thrown out of its way."""

import dataclasses
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kubectl_packetpath.packet import TCP, TCP_SYN, Packet
from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.codec import decode, encode
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.sources.bundle import Bundle
from kubectl_packetpath.walk import explore

DEMO = Path(__file__).parents[3] / "docs" / "demo.packetpath"
MOST_PATHS = 200


@cache
def recorded() -> tuple[tuple[Snapshot, ...], tuple[str, ...]]:
    """The nodes of the recording that ships, and the addresses of its Services."""
    bundle = Bundle(DEMO)
    snapshots = tuple(
        node.snapshot for name in bundle.names if isinstance(node := bundle.node(name), RecordedNode)
    )
    return snapshots, tuple(
        str(service.cluster_ips[0]) for service in bundle.cluster.services if service.cluster_ips
    )


def damaged(value: Any, chance: Random, share: float) -> Any:
    """The same records, with some bytes of some of their byte strings changed or cut off."""
    if isinstance(value, bytes):
        return changed(value, chance) if len(value) > 4 and chance.random() < share else value
    if isinstance(value, tuple):
        return tuple(damaged(each, chance, share) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.init}
        return type(value)(**{name: damaged(own, chance, share) for name, own in fields.items()})
    return value


def changed(value: bytes, chance: Random) -> bytes:
    """One byte or a few."""
    data = bytearray(value)
    for _ in range(chance.choice([1, 1, 2, 8])):
        data[chance.randrange(len(data))] = chance.choice([0, 1, 255, chance.randrange(256)])
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


def spoilt(snapshot: Snapshot, chance: Random) -> Snapshot:
    """A node whose host has damaged rules and sets."""
    share = chance.choice([0.02, 0.2, 1.0])
    return dataclasses.replace(
        snapshot,
        namespaces=tuple(
            dataclasses.replace(
                each,
                legacy=damaged(each.legacy, chance, 1.0),
                nftables=damaged(each.nftables, chance, share),
                ipsets=damaged(each.ipsets, chance, share),
            )
            if each.is_host
            else each
            for each in snapshot.namespaces
        ),
    )


def walked(snapshot: Snapshot, target: str) -> Sequence[explore.NodePath]:
    """What becomes of a new connection of the node itself."""
    packet = Packet(
        source=ip_address("0.0.0.0"), destination=ip_address(target), protocol=TCP, sport=40000, dport=80,
        tcp_flags=TCP_SYN,
    )  # fmt: skip
    start = explore.Originated(namespace=snapshot.host.identity, packet=packet)
    paths = explore.run(RecordedNode(snapshot), start)
    return [path for path, _ in zip(paths, range(MOST_PATHS), strict=False)]


@pytest.mark.parametrize("seed", range(40))
def test_damaged_rules_end_in_a_verdict(seed: int) -> None:
    """Whichever bytes are wrong: what cannot be read is assumed or unknown, with its place."""
    chance = Random(seed)
    snapshots, targets = recorded()
    found = walked(spoilt(chance.choice(snapshots), chance), chance.choice(targets))

    assert found
    assert all(path.ending.reason for path in found)


def test_what_is_damaged_survives_the_file() -> None:
    """The contract says nothing of the bytes inside: they are refused, if at all, where they are read."""
    snapshot = spoilt(recorded()[0][0], Random(1))

    assert decode(encode(snapshot)) == snapshot

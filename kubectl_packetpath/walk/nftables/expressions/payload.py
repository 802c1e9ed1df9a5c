"""Loads bytes of the packet itself, or writes some.

Kernel: net/netfilter/nft_payload.c
"""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.nftables import headers
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.payload_words import load_words, write_words
from kubectl_packetpath.walk.nftables.registers import DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

DREG, BASE, OFFSET, LEN, SREG = 1, 2, 3, 4, 5
LINK, NETWORK, TRANSPORT = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which bytes, and where they go (or come from)."""

    base: int
    offset: int
    size: int
    to: int | None
    source: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        base=fields.number(BASE),
        offset=fields.number(OFFSET),
        size=fields.number(LEN),
        to=fields.slot_or_none(DREG),
        source=fields.slot_or_none(SREG),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Break where the packet has no such header."""
    if spec.to is None:
        return _write(spec, scene)
    value = _load(spec, scene)
    if value is None:
        return BREAK
    scene.registers.write(spec.to, value, spec.size)
    return GO_ON


def _load(spec: Spec, scene: Scene) -> bytes | Undecided | None:
    packet = scene.packet
    if spec.base == NETWORK:
        return headers.network(packet).load(spec.offset, spec.size)
    if spec.base == TRANSPORT:
        header = headers.transport(packet)
        if header is None:
            return None
        if packet.protocol not in headers.TRANSPORT_BYTES:
            return Undecided(f"the payload of protocol {packet.protocol} is not known", size=spec.size)
        if (
            (spec.offset, spec.size) == (0, 2)
            and packet.sport_chosen
            and packet.protocol in headers.WITH_PORTS
        ):
            return headers.chosen_port()
        return header.load(spec.offset, spec.size)
    if spec.base == LINK:
        return None if scene.here.in_device is None else headers.link(packet).load(spec.offset, spec.size)
    return Undecided("the payload behind the headers is not known", size=spec.size)


def _write(spec: Spec, scene: Scene) -> Answer:
    if spec.source is None:
        raise ValueError("a payload expression without a register")
    try:
        value = scene.registers.read(spec.source, spec.size)
    except DoubtError:
        scene.assume("the packet is given bytes that are not known; taken to stay as it is")
        return GO_ON
    changed = _changed(scene.packet, spec, value)
    if changed is None:
        scene.assume("a header is rewritten in a way that is not modelled; taken to stay as it is")
    else:
        scene.change(changed, "the packet's header is rewritten")
    return GO_ON


def _changed(packet: Packet, spec: Spec, value: bytes) -> Packet | None:
    """The packet with other header bytes; None where they cannot be told."""
    if spec.base == TRANSPORT and packet.protocol in headers.WITH_PORTS:
        number = int.from_bytes(value, "big")
        return {
            (0, 2): replace(packet, sport=number, sport_chosen=False),
            (2, 2): replace(packet, dport=number),
        }.get((spec.offset, spec.size))
    return _changed_network(packet, spec, value) if spec.base == NETWORK else None


def _changed_network(packet: Packet, spec: Spec, value: bytes) -> Packet | None:
    """Addresses, TTL and TOS may change, and the checksum with them; more than that is not told."""
    before, after = headers.network(packet), headers.network(packet)
    after.put(spec.offset, value)
    header = bytes(after.value)
    if packet.family == 4:
        mutable = {1, 8, 10, 11, *range(12, 20)}
        changed = replace(
            packet,
            tos=header[1],
            ttl=header[8],
            source=IPv4Address(header[12:16]),
            destination=IPv4Address(header[16:20]),
        )
    else:
        mutable = {0, 1, 7, *range(8, 40)}
        changed = replace(
            packet,
            tos=(header[0] & 0x0F) << 4 | header[1] >> 4,
            ttl=header[7],
            source=IPv6Address(header[8:24]),
            destination=IPv6Address(header[24:40]),
        )
    differs = {at for at, pair in enumerate(zip(before.value, header, strict=True)) if pair[0] != pair[1]}
    return changed if differs <= mutable else None


def words(spec: Spec, sentence: Sentence) -> None:
    """`ip daddr`, `tcp dport` and the like."""
    if spec.to is None:
        write_words(spec.base, spec.offset, sentence.term(spec.source or 0, spec.size), sentence)
    else:
        sentence.load(spec.to, load_words(spec.base, spec.offset, spec.size, sentence))


KIND = Kind(name="payload", unpack=unpack, run=run, words=words, pure=True)

"""Changes the destination or the source of a connection.

Kernel: net/netfilter/nft_nat.c
"""

from dataclasses import dataclass
from ipaddress import ip_address

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.nftables import NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6
from kubectl_packetpath.walk.nat import Manipulation, NatRange, rewrite
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.nat_words import flag_words, target_words
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence

TYPE, FAMILY, ADDRESS_MIN, ADDRESS_MAX, PORT_MIN, PORT_MAX, FLAGS = 1, 2, 3, 4, 5, 6, 7
SNAT, DNAT = 0, 1
RANDOM, PERSISTENT, FULLY_RANDOM, OFFSET, NETMAP = 0x4, 0x8, 0x10, 0x20, 0x40
NFPROTO = {4: NFPROTO_IPV4, 6: NFPROTO_IPV6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which end, to what, and how."""

    type: int
    family: int
    address: tuple[int, int] | None
    """Slots of the first and the last address."""
    port: tuple[int, int] | None
    flags: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    if fields.number(TYPE) not in {SNAT, DNAT}:
        raise ValueError(f"nat type {fields.number(TYPE)}")
    return Spec(
        type=fields.number(TYPE),
        family=fields.number(FAMILY, NFPROTO_INET),
        address=_pair(fields, ADDRESS_MIN, ADDRESS_MAX),
        port=_pair(fields, PORT_MIN, PORT_MAX),
        flags=fields.number(FLAGS, 0),
    )


def _pair(fields: Fields, first: int, last: int) -> tuple[int, int] | None:
    if first not in fields:
        return None
    return fields.slot(first), fields.slot(last) if last in fields else fields.slot(first)


def run(spec: Spec, scene: Scene) -> Answer:
    """The mapping is made, and the chain ends with accept."""
    if spec.family not in {NFPROTO_INET, NFPROTO[scene.family]}:
        return GO_ON
    if spec.flags & OFFSET:
        raise ValueError("port shifting is not modelled")
    size = 4 if scene.family == 4 else 16
    addresses: tuple[Address, Address] | None = None
    if spec.address is not None:
        first, last = (ip_address(scene.registers.read(slot, size)) for slot in spec.address)
        addresses = first, last
    wanted = NatRange(
        addresses=addresses,
        ports=ports_of(spec.port, scene),
        netmap=bool(spec.flags & NETMAP),
        random=bool(spec.flags & RANDOM),
        fully_random=bool(spec.flags & FULLY_RANDOM),
        persistent=bool(spec.flags & PERSISTENT),
    )
    which = Manipulation.DESTINATION if spec.type == DNAT else Manipulation.SOURCE
    return Ends(rewrite(scene.here, scene.packet, scene.history, (which, wanted), scene.because))


def ports_of(slots: tuple[int, int] | None, scene: Scene) -> tuple[int, int] | None:
    """First and last port, from their registers."""
    if slots is None:
        return None
    first, last = (int.from_bytes(scene.registers.read(slot, 2), "big") for slot in slots)
    return first, last


def words(spec: Spec, sentence: Sentence) -> None:
    """`dnat to 10.0.0.1:80`."""
    kind = "ipv6_addr" if spec.family == NFPROTO_IPV6 else "ipv4_addr"
    name = "dnat" if spec.type == DNAT else "snat"
    target, joined = target_words(sentence, spec.address, spec.port, kind)
    if spec.flags & NETMAP:
        name += " ip6 prefix" if kind == "ipv6_addr" else " ip prefix"
    elif (joined or sentence.chain.family == NFPROTO_INET) and spec.address is not None:
        name += " ip6" if kind == "ipv6_addr" else " ip"
    sentence.say(f"{name} to {target}{flag_words(spec.flags)}")


KIND = Kind(name="nat", unpack=unpack, run=run, words=words)

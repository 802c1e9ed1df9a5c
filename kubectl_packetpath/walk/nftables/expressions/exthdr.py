"""Loads or sets options: extension headers of IPv6, options of TCP and IPv4, chunks of SCTP.

Kernel: net/netfilter/nft_exthdr.c
"""

from dataclasses import dataclass

from kubectl_packetpath.packet import SCTP, TCP
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term

DREG, TYPE, OFFSET, LEN, FLAGS, OP, SREG = 1, 2, 3, 4, 5, 6, 7
PRESENT = 0x1
IPV6, TCP_OPTION, IPV4, SCTP_CHUNK = 0, 1, 2, 3
EXTENSIONS = {0: "hbh", 43: "rt", 44: "frag", 60: "dst", 135: "mh"}
TCP_OPTIONS = {2: "maxseg", 3: "window", 4: "sack-perm", 5: "sack", 8: "timestamp", 30: "mptcp"}
PROTOCOLS = {TCP_OPTION: TCP, SCTP_CHUNK: SCTP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which option, and what of it."""

    to: int | None
    source: int | None
    type: int
    offset: int
    size: int
    present: bool
    operation: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        to=fields.slot_or_none(DREG),
        source=fields.slot_or_none(SREG),
        type=fields.number(TYPE),
        offset=fields.number(OFFSET),
        size=fields.number(LEN),
        present=bool(fields.number(FLAGS, 0) & PRESENT),
        operation=fields.number(OP, IPV6),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """A plain packet has no options of IP; those of TCP and SCTP are not known."""
    if spec.to is None:
        return GO_ON if scene.packet.protocol == TCP else BREAK
    if scene.packet.protocol == PROTOCOLS.get(spec.operation):
        scene.registers.write(spec.to, Undecided("the packet's options are not known"), spec.size)
        return GO_ON
    if spec.operation in {IPV6, IPV4} and not scene.packet.fragment_offset and spec.present:
        scene.registers.write(spec.to, b"\0")
        return GO_ON
    return BREAK


def words(spec: Spec, sentence: Sentence) -> None:
    """`tcp option maxseg size`, `exthdr frag exists`."""
    name = _name(spec)
    if spec.to is not None:
        kind = "boolean" if spec.present else "integer"
        sentence.load(spec.to, Term(text=name, kinds=(kind,), size=spec.size))
        return
    term = sentence.term(spec.source or 0)
    value = str(int.from_bytes(term.value, "big")) if term.value is not None else term.text
    sentence.say(f"{name} set {value}")


def _name(spec: Spec) -> str:
    if spec.operation == TCP_OPTION:
        sizes = {(2, 2): " size", (3, 2): " count", (8, 2): " tsval", (8, 6): " tsecr"}
        field = "" if spec.present else sizes.get((spec.type, spec.offset), f" {spec.offset},{spec.size}")
        return f"tcp option {TCP_OPTIONS.get(spec.type, spec.type)}{field}"
    if spec.operation == IPV6 and spec.present:
        return f"exthdr {EXTENSIONS.get(spec.type, spec.type)}"
    return f"exthdr {spec.operation},{spec.type} {spec.offset},{spec.size}"


KIND = Kind(name="exthdr", unpack=unpack, run=run, words=words, certainty="forks")

"""Loads or sets what connection tracking knows about the packet's connection.

Kernel: net/netfilter/nft_ct.c
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Connection, Flow, State
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term
from kubectl_packetpath.walk.nftables.values import value_words

DREG, KEY, DIRECTION, SREG = 1, 2, 3, 4
STATE, DIR, STATUS, MARK, LABELS, ZONE, EVENTS = 0, 1, 2, 3, 13, 17, 18
SRC, DST, PROTO_SRC, PROTO_DST, SRC4, DST4, SRC6, DST6 = 8, 9, 11, 12, 19, 20, 21, 22
STATES = {State.ESTABLISHED: 2, State.RELATED: 4, State.NEW: 8, State.UNTRACKED: 64, State.INVALID: 1}
EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED, SRC_NAT, DST_NAT = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
SRC_NAT_DONE, DST_NAT_DONE, DYING = 0x80, 0x100, 0x200
ALWAYS_KNOWN = EXPECTED | CONFIRMED | SRC_NAT | DST_NAT

NAMES: Mapping[int, tuple[str, str, int]] = {
    STATE: ("ct state", "ct_state", 4), DIR: ("ct direction", "ct_dir", 1),
    STATUS: ("ct status", "ct_status", 4), MARK: ("ct mark", "mark", 4), 4: ("ct secmark", "host", 4),
    5: ("ct expiration", "time", 4), 6: ("ct helper", "string", 16), 7: ("ct l3proto", "nf_proto", 1),
    SRC: ("ct saddr", "", 0), DST: ("ct daddr", "", 0), 10: ("ct protocol", "inet_proto", 1),
    PROTO_SRC: ("ct proto-src", "inet_service", 2), PROTO_DST: ("ct proto-dst", "inet_service", 2),
    LABELS: ("ct label", "ct_label", 16), 14: ("ct packets", "integer", 8), 15: ("ct bytes", "integer", 8),
    16: ("ct avgpkt", "integer", 8), ZONE: ("ct zone", "host", 2), EVENTS: ("ct event", "host", 4),
    SRC4: ("ct ip saddr", "ipv4_addr", 4), DST4: ("ct ip daddr", "ipv4_addr", 4),
    SRC6: ("ct ip6 saddr", "ipv6_addr", 16), DST6: ("ct ip6 daddr", "ipv6_addr", 16), 23: ("ct id", "host", 4),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which fact, of which direction, and where it goes or comes from."""

    key: int
    direction: int | None
    to: int | None
    source: int | None


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    key = fields.number(KEY)
    if key not in NAMES:
        raise ValueError(f"ct key {key}")
    return Spec(
        key=key,
        direction=fields.number(DIRECTION) if DIRECTION in fields else None,
        to=fields.slot_or_none(DREG),
        source=fields.slot_or_none(SREG),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Load or set; a packet without connection breaks off, except for its state."""
    if spec.source is not None:
        return _set(spec, spec.source, scene)
    if spec.to is None:
        raise ValueError("a ct expression without a register")
    if spec.key == STATE:
        scene.registers.write(spec.to, _state(scene))
        return GO_ON
    connection = scene.connection
    value = None if connection is None else _load(spec, scene, connection)
    if value is None:
        return BREAK
    scene.registers.write(spec.to, value, _size(spec, scene))
    return GO_ON


def _state(scene: Scene) -> bytes:
    connection = scene.packet.connection
    state = State.INVALID if connection is None else connection.state
    return STATES[state].to_bytes(4, "little")


def _size(spec: Spec, scene: Scene) -> int:
    return NAMES[spec.key][2] or (4 if scene.family == 4 else 16)


def _load(spec: Spec, scene: Scene, connection: Connection) -> bytes | Undecided | None:
    match spec.key:
        case 1:
            return bytes([connection.is_reply])
        case 2:
            return _status(connection)
        case 3:
            return connection.mark.to_bytes(4, "little")
        case 6:
            return None
        case 7:
            return b"\x02" if scene.family == 4 else b"\x0a"
        case 10:
            return bytes([connection.original.protocol])
        case 13:
            return connection.labels.to_bytes(16, "little")
        case 17:
            return connection.zone.to_bytes(2, "little")
        case 8 | 9 | 11 | 12 | 19 | 20 | 21 | 22:
            return _of_tuple(spec, scene, connection)
    return Undecided(f"{NAMES[spec.key][0]} is not known")


def _status(connection: Connection) -> bytes | Undecided:
    """Which bits are set; of a connection that the table holds already, some are not recorded."""
    bits = EXPECTED if connection.state is State.RELATED else 0
    bits |= SEEN_REPLY if connection.is_reply or connection.state is State.ESTABLISHED else 0
    bits |= CONFIRMED if connection.confirmed or connection.entered else 0
    bits |= SRC_NAT if connection.source_changed else 0
    bits |= DST_NAT if connection.destination_changed else 0
    bits |= (SRC_NAT_DONE if connection.snat_done else 0) | (DST_NAT_DONE if connection.dnat_done else 0)
    value = bits.to_bytes(4, "little")
    if not connection.confirmed:
        return value
    known = (ALWAYS_KNOWN | (SEEN_REPLY if bits & SEEN_REPLY else 0)).to_bytes(4, "little")
    return Undecided("the connection's status is not known", value=value, known=known, size=4)


def _of_tuple(spec: Spec, scene: Scene, connection: Connection) -> bytes | Undecided | None:
    reply = spec.direction == 1
    flow = connection.reply if reply else connection.original
    if (spec.key in {SRC4, DST4} and scene.family != 4) or (spec.key in {SRC6, DST6} and scene.family != 6):
        return None
    if spec.key in {SRC, SRC4, SRC6}:
        return flow.source.packed
    if spec.key in {DST, DST4, DST6}:
        return flow.destination.packed
    return _port(spec, scene, flow, is_client=(spec.key == PROTO_SRC) != reply)


def _port(spec: Spec, scene: Scene, flow: Flow, *, is_client: bool) -> bytes | Undecided:
    if is_client and scene.packet.sport_chosen:
        return Undecided("the source port is not known", possible=range(1024, 1 << 16))
    number = flow.sport if spec.key == PROTO_SRC else flow.dport
    return number.to_bytes(2, "big")


def _set(spec: Spec, source: int, scene: Scene) -> Answer:
    if spec.key == EVENTS:
        return GO_ON
    connection = scene.connection
    if spec.key in {MARK, LABELS}:
        if connection is None:
            return GO_ON
        return _set_on(spec, source, scene, connection)
    scene.assume(f"{NAMES[spec.key][0]} is set; taken to change nothing")
    return GO_ON


def _set_on(spec: Spec, source: int, scene: Scene, connection: Connection) -> Answer:
    size = 4 if spec.key == MARK else 16
    try:
        number = int.from_bytes(scene.registers.read(source, size), "little")
    except DoubtError as error:
        if not isinstance(error.doubt, Undecided):
            raise
        scene.assume(
            f"a connection is marked with a value that is not known ({error.doubt.reason}); taken to stay"
        )
        return GO_ON
    if spec.key == MARK:
        changed, text = replace(connection, mark=number), f"the connection is marked 0x{number:x}"
    else:
        changed = replace(connection, labels=connection.labels | number)
        text = f"the connection is labelled 0x{number:x}"
    scene.change(replace(scene.packet, connection=changed), text)
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`ct state`, `ct original saddr`; or `ct mark set …`."""
    text, kind, size = NAMES[spec.key]
    if spec.direction is not None:
        text = text.replace("ct ", f"ct {'reply' if spec.direction else 'original'} ", 1)
    if not kind:
        six = sentence.chain.family == 10 or sentence.network == "ip6"
        kind, size = ("ipv6_addr", 16) if six else ("ipv4_addr", 4)
    if spec.source is None:
        sentence.load(spec.to or 0, Term(text=text, kinds=(kind,), size=size))
        return
    term = sentence.term(spec.source)
    value = term.text if term.value is None else value_words(kind, term.value)
    sentence.say(f"{text} set {value}")


KIND = Kind(name="ct", unpack=unpack, run=run, words=words, pure=True)

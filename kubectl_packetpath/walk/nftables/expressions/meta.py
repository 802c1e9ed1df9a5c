"""Loads or sets what the kernel knows about a packet beside its bytes: devices, mark, owner, lengths.

Kernel: net/netfilter/nft_meta.c
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.nftables import NFPROTO_BRIDGE
from kubectl_packetpath.walk.here import Hook
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import DoubtError, Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term
from kubectl_packetpath.walk.nftables.values import value_words
from kubectl_packetpath.walk.routing import address_type

DREG, KEY, SREG = 1, 2, 3
MARK, PRIORITY, NFTRACE, PKTTYPE = 3, 2, 12, 19
NAME_BYTES = 16

Value = bytes | Undecided | None
"""None: the kernel breaks off the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which fact, and where it goes or comes from."""

    key: int
    to: int | None
    source: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """One fact about a packet."""

    text: str
    kind: str
    size: int
    load: Callable[[Scene], Value]


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(key=fields.number(KEY), to=fields.slot_or_none(DREG), source=fields.slot_or_none(SREG))


def run(spec: Spec, scene: Scene) -> Answer:
    """Load or set."""
    if spec.source is not None:
        return _set(spec, spec.source, scene)
    key = KEYS.get(spec.key)
    if key is None or spec.to is None:
        raise ValueError(f"meta key {spec.key} is not modelled")
    value = key.load(scene)
    if value is None:
        return BREAK
    scene.registers.write(spec.to, value, key.size)
    return GO_ON


def _set(spec: Spec, source: int, scene: Scene) -> Answer:
    if spec.key in {NFTRACE, PKTTYPE}:
        return GO_ON
    if spec.key not in {MARK, PRIORITY}:
        scene.assume(f"meta key {spec.key} is set; taken to change nothing")
        return GO_ON
    try:
        value = int.from_bytes(scene.registers.read(source, 4), "little")
    except DoubtError as error:
        if not isinstance(error.doubt, Undecided):
            raise
        scene.assume(f"a mark is set from a value that is not known ({error.doubt.reason}); taken to stay")
        return GO_ON
    if spec.key == MARK:
        scene.change(replace(scene.packet, mark=value), f"the packet is marked 0x{value:x}")
    else:
        scene.change(replace(scene.packet, priority=value), f"the packet's priority becomes 0x{value:x}")
    return GO_ON


def _native(number: int, size: int = 4) -> bytes:
    return number.to_bytes(size, "little")


def _unknown(what: str) -> Callable[[Scene], Value]:
    def load(scene: Scene) -> Value:
        del scene
        return Undecided(f"{what} is not known")

    return load


def name(link: Link | None) -> bytes:
    """A device's name as a register holds it."""
    return (link.name.encode() if link is not None else b"")[: NAME_BYTES - 1].ljust(NAME_BYTES, b"\0")


def _index(link: Link | None) -> bytes:
    return _native(link.index if link is not None else 0)


def device_in(scene: Scene) -> Link | None:
    """The device of the hook; a bridge chain sees the port."""
    here = scene.here
    return here.physical_in or here.in_device if scene.chain.family == NFPROTO_BRIDGE else here.in_device


def device_out(scene: Scene) -> Link | None:
    """Likewise on the way out."""
    here = scene.here
    return here.physical_out or here.out_device if scene.chain.family == NFPROTO_BRIDGE else here.out_device


def _bridge_of(scene: Scene, port: Link | None) -> Value:
    links = scene.here.state.links()
    if port is None or isinstance(links, Absent):
        return None
    bridge = next((link for link in links if link.index == port.master and link.kind == "bridge"), None)
    return None if bridge is None else name(bridge)


def _kind_of(link: Link | None) -> Value:
    return None if link is None or not link.kind else link.kind.encode()[:15].ljust(NAME_BYTES, b"\0")


ARPHRD = {"ipip": 768, "ip6tnl": 769, "sit": 776, "gre": 778, "ip6gre": 823, "tun": 65534, "wireguard": 65534}
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772


def _type_of(link: Link | None) -> Value:
    if link is None:
        return None
    number = ARPHRD_LOOPBACK if link.is_loopback else ARPHRD.get(link.kind, ARPHRD_ETHER)
    return _native(number, 2)


def _group(link: Link | None) -> Value:
    if link is None:
        return None
    return (
        Undecided(f"the group of {link.name} is not recorded") if link.group is None else _native(link.group)
    )


def _owner(number: int | None, scene: Scene) -> Value:
    """Only a local socket that sends has an owner here."""
    local = scene.here.in_device is None and scene.here.hook in {Hook.OUTPUT, Hook.POSTROUTING}
    return _native(number) if local and number is not None else None


def _cgroup(scene: Scene) -> Value:
    local = scene.here.in_device is None and scene.here.hook in {Hook.OUTPUT, Hook.POSTROUTING}
    return Undecided("the sender's control group is not known") if local else None


def _packet_type(scene: Scene) -> Value:
    """The frame is addressed as its IP packet is."""
    destination = scene.packet.destination
    if destination.is_multicast:
        return b"\x02"
    is_broadcast = destination.version == 4 and address_type(scene.here.state, destination) == "BROADCAST"
    return bytes([is_broadcast])


def _protocol_family(scene: Scene) -> Value:
    if scene.chain.family == NFPROTO_BRIDGE:
        return bytes([NFPROTO_BRIDGE])
    return b"\x02" if scene.family == 4 else b"\x0a"


def _slave(scene: Scene) -> Link | Undecided | None:
    """The member of a VRF by which the packet came in."""
    links = scene.here.state.links()
    device = scene.here.in_device
    if device is None or isinstance(links, Absent):
        return None
    if device.kind == "vrf" or any(each.kind == "vrf" and each.index == device.master for each in links):
        return Undecided("the device below the VRF is not known")
    return None


def _slave_index(scene: Scene) -> Value:
    slave = _slave(scene)
    return slave if isinstance(slave, Undecided) else _index(slave)


def _slave_name(scene: Scene) -> Value:
    slave = _slave(scene)
    return slave if isinstance(slave, Undecided) else name(slave)


KEYS: Mapping[int, Key] = {
    0: Key("meta length", "host", 4, lambda scene: _native(scene.packet.size_bytes)),
    1: Key("meta protocol", "ether_type", 2, lambda s: b"\x08\x00" if s.family == 4 else b"\x86\xdd"),
    PRIORITY: Key("meta priority", "host", 4, lambda scene: _native(scene.packet.priority)),
    MARK: Key("meta mark", "mark", 4, lambda scene: _native(scene.packet.mark)),
    4: Key("iif", "ifindex", 4, lambda scene: _index(device_in(scene))),
    5: Key("oif", "ifindex", 4, lambda scene: _index(device_out(scene))),
    6: Key("iifname", "ifname", NAME_BYTES, lambda scene: name(device_in(scene))),
    7: Key("oifname", "ifname", NAME_BYTES, lambda scene: name(device_out(scene))),
    8: Key("meta iiftype", "iface_type", 2, lambda scene: _type_of(device_in(scene))),
    9: Key("meta oiftype", "iface_type", 2, lambda scene: _type_of(device_out(scene))),
    10: Key("meta skuid", "uid", 4, lambda scene: _owner(scene.packet.uid, scene)),
    11: Key("meta skgid", "gid", 4, lambda scene: _owner(scene.packet.gid, scene)),
    NFTRACE: Key("meta nftrace", "integer", 1, lambda _: b"\0"),
    13: Key("rtclassid", "realm", 4, _unknown("the route's realm")),
    14: Key("meta secmark", "host", 4, _unknown("the security mark")),
    15: Key("meta nfproto", "nf_proto", 1, _protocol_family),
    16: Key("meta l4proto", "inet_proto", 1, lambda scene: bytes([scene.packet.protocol])),
    17: Key("meta ibrname", "ifname", NAME_BYTES, lambda scene: _bridge_of(scene, device_in(scene))),
    18: Key("meta obrname", "ifname", NAME_BYTES, lambda scene: _bridge_of(scene, device_out(scene))),
    PKTTYPE: Key("meta pkttype", "pkt_type", 1, _packet_type),
    20: Key("meta cpu", "host", 4, _unknown("the processor")),
    21: Key("iifgroup", "host", 4, lambda scene: _group(device_in(scene))),
    22: Key("oifgroup", "host", 4, lambda scene: _group(device_out(scene))),
    23: Key("meta cgroup", "host", 4, _cgroup),
    24: Key("meta random", "host", 4, _unknown("a random number")),
    25: Key("meta ipsec", "boolean", 1, _unknown("whether IPsec protected the packet")),
    26: Key("meta iifkind", "ifname", NAME_BYTES, lambda scene: _kind_of(device_in(scene))),
    27: Key("meta oifkind", "ifname", NAME_BYTES, lambda scene: _kind_of(device_out(scene))),
    28: Key("meta ibrpvid", "host", 2, _unknown("the bridge port's VLAN")),
    29: Key("meta ibrvproto", "ether_type", 2, _unknown("the bridge's VLAN protocol")),
    30: Key("meta time", "time", 8, _unknown("the time")),
    31: Key("meta day", "day", 1, _unknown("the day")),
    32: Key("meta hour", "hour", 4, _unknown("the hour")),
    33: Key("meta sdif", "ifindex", 4, _slave_index),
    34: Key("meta sdifname", "ifname", NAME_BYTES, _slave_name),
}


def words(spec: Spec, sentence: Sentence) -> None:
    """`meta mark`, `iifname`; or `meta mark set …`."""
    key = KEYS.get(spec.key)
    text, kind = (key.text, key.kind) if key is not None else (f"meta key {spec.key}", "host")
    if spec.source is None:
        size = key.size if key is not None else 4
        sentence.load(spec.to or 0, Term(text=text, kinds=(kind,), size=size))
        return
    term = sentence.term(spec.source)
    value = term.text if term.value is None else value_words(kind, term.value)
    sentence.say(f"{text} set {value}")


KIND = Kind(name="meta", unpack=unpack, run=run, words=words, pure=True)

"""Asks the routing tables about an address of the packet.

Kernel: net/netfilter/nft_fib.c, net/ipv4/netfilter/nft_fib_ipv4.c, net/ipv6/netfilter/nft_fib_ipv6.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.walk.here import Hook
from kubectl_packetpath.walk.nftables.expressions.meta import name
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term
from kubectl_packetpath.walk.routing import RouteQuery, address_type, fib_lookup

DREG, RESULT, FLAGS = 1, 2, 3
OIF, OIFNAME, TYPE = 1, 2, 3
SADDR, DADDR, MARK, IIF, OIF_FLAG, PRESENT = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
FLAG_NAMES = {SADDR: "saddr", DADDR: "daddr", MARK: "mark", IIF: "iif", OIF_FLAG: "oif"}
RTN = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE",
    "PROHIBIT", "THROW",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which address, with what in mind, and what of the answer."""

    to: int
    result: int
    flags: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    spec = Spec(to=fields.slot(DREG), result=fields.number(RESULT), flags=fields.number(FLAGS))
    if spec.result not in {OIF, OIFNAME, TYPE}:
        raise ValueError(f"fib result {spec.result}")
    return spec


def run(spec: Spec, scene: Scene) -> Answer:
    """Load the answer."""
    if spec.result == TYPE:
        packet = scene.packet
        address = packet.source if spec.flags & SADDR else packet.destination
        kind = address_type(scene.here.state, address, _device(spec, scene))
        scene.registers.write(spec.to, RTN.index(kind).to_bytes(4, "little"))
        return GO_ON
    found = _way_out(spec, scene)
    if isinstance(found, Undecided):
        scene.registers.write(spec.to, found, 16 if spec.result == OIFNAME else 4)
    elif spec.flags & PRESENT:
        scene.registers.write(spec.to, bytes([found is not None]))
    elif spec.result == OIF:
        scene.registers.write(spec.to, (found.index if found is not None else 0).to_bytes(4, "little"))
    else:
        scene.registers.write(spec.to, name(found))
    return GO_ON


def _device(spec: Spec, scene: Scene) -> Link | None:
    if spec.flags & IIF:
        return scene.here.in_device
    return scene.here.out_device if spec.flags & OIF_FLAG else None


def _way_out(spec: Spec, scene: Scene) -> Link | Undecided | None:
    """The device by which the address is reached; a local or missing route gives none."""
    here, packet = scene.here, scene.packet
    device = here.in_device
    if here.hook in {Hook.PREROUTING, Hook.INPUT} and device is not None and device.is_loopback:
        return device
    backwards = bool(spec.flags & SADDR)
    wanted = _device(spec, scene)
    query = RouteQuery(
        destination=packet.source if backwards else packet.destination,
        source=packet.destination if backwards else packet.source,
        mark=packet.mark if spec.flags & MARK else 0,
        tos=packet.tos,
        oif=wanted if packet.family == 6 else None,
        ignore_linkstate=True,
    )
    ways = fib_lookup(here.state, query)
    if ways[0].assumed:
        return Undecided(ways[0].assumed[0])
    devices = [way.device for way in ways if way.type == "unicast" and way.device is not None]
    if wanted is not None:
        return next((found for found in devices if found.index == wanted.index), None)
    if len({found.index for found in devices}) > 1:
        return Undecided("several routes lead there")
    return devices[0] if devices else None


def words(spec: Spec, sentence: Sentence) -> None:
    """`fib daddr type`."""
    flags = " . ".join(text for bit, text in FLAG_NAMES.items() if spec.flags & bit)
    what = {OIF: "oif", OIFNAME: "oifname", TYPE: "type"}[spec.result]
    kind = {OIF: "ifindex", OIFNAME: "ifname", TYPE: "fib_addrtype"}[spec.result]
    size = 16 if spec.result == OIFNAME else 4
    if spec.flags & PRESENT:
        kind, size = "boolean", 1
    sentence.load(spec.to, Term(text=f"fib {flags} {what}", kinds=(kind,), size=size))


KIND = Kind(name="fib", unpack=unpack, run=run, words=words, pure=True)

"""The TPROXY target: the packet goes to a local proxy as it is, without translation.

Kernel: net/netfilter/xt_TPROXY.c
"""

import struct
from dataclasses import dataclass, replace

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.trace import Ending, Fact, History, Step, StepKind, Verdict, told
from kubectl_packetpath.walk.here import Here, Outcomes, ended, go_on, unknown
from kubectl_packetpath.walk.xtables.extension import Extension, Target, marked
from kubectl_packetpath.walk.xtables.fields import address_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The proxy's address and port, and the mark that routes packets to it."""

    mark: int
    mask: int
    address: Address
    port: int


def unpack(extension: Extension, family: int) -> Spec:
    """Read `xt_tproxy_target_info` or `_v1`."""
    data = extension.data
    mask, mark = struct.unpack_from("<II", data)
    (port,) = struct.unpack_from(">H", data, 12 if extension.revision == 0 else 24)
    return Spec(mark=mark, mask=mask, address=address_of(data, 8, family), port=port)


def run(
    spec: Spec, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """Marked and accepted where a proxy listens, dropped where none does."""
    port = spec.port or packet.dport
    sockets = here.state.sockets()
    place = because[0].key if because else here.node
    if isinstance(sockets, Absent):
        yield unknown(go_on(packet, history), f"{place}: whether a proxy listens is not known", because)
        return
    if not any(_takes(each, spec, packet, port) for each in sockets):
        ending = Ending(verdict=Verdict.DROPPED, reason=f"no transparent proxy listens on port {port}")
        yield ended(go_on(packet, history), ending, kind=StepKind.DROPPED, because=because)
        return
    changed = replace(packet, mark=(packet.mark & ~spec.mask) ^ spec.mark)
    step = Step(
        kind=StepKind.ASSUMED,
        text=f"{place}: the proxy on port {port} is assumed to take it",
        because=because,
    )
    for outcome in marked(packet, changed, told(history, step), because, f"for the proxy on port {port}"):
        yield replace(outcome, weight=None, verdict="accept")


def _takes(each: Socket, spec: Spec, packet: Packet, port: int | None) -> bool:
    if not each.transparent or each.protocol != packet.protocol or each.port != port:
        return False
    return each.address.is_unspecified or spec.address.is_unspecified or each.address == spec.address


def words(spec: Spec) -> str:
    """`--on-port 15006 --on-ip 127.0.0.1 --tproxy-mark 0x1/0xffffffff`."""
    return f"--on-port {spec.port} --on-ip {spec.address} --tproxy-mark 0x{spec.mark:x}/0x{spec.mask:x}"


TARGET = Target(
    name="TPROXY",
    revisions=(0, 1),
    unpack=unpack,
    run=run,
    words=words,
    certainty="exact for the drop; the delivery to the proxy is assumed",
)

"""Whether the question who has an address is heeded: it comes in like a packet, and the reverse path filter may drop it.

So a host that asks in the name of an address that belongs behind another device gets no answer, and what it wanted
to send is lost before it was sent.

Kernel: net/ipv4/arp.c arp_solicit (in whose name is asked), arp_process (ip_route_input_noref)
"""

from dataclasses import dataclass
from ipaddress import ip_network

from kubectl_packetpath.packet import Address, Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.input_route import Decision, route_input
from kubectl_packetpath.walk.routing import address_type
from kubectl_packetpath.walk.segment import Station
from kubectl_packetpath.walk.settings import largest
from kubectl_packetpath.walk.sources import SCOPE_LINK, source4
from kubectl_packetpath.walk.tables import tables_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who wants to know, and for which packet."""

    state: NamespaceState
    device: Link
    source: Address
    """Of the packet that waits for the answer."""

    def name(self, wanted: Address) -> Address | None:
        """The address that the question bears: the packet's own source where that is ours and may be told."""
        level = largest(self.state, self.device, "arp_announce")
        ours = level < 2 and address_type(self.state, self.source) == "LOCAL"
        if ours and (level == 0 or self._is_beside(wanted)):
            return self.source
        return source4(self.state, self.device, wanted, SCOPE_LINK)

    def _is_beside(self, wanted: Address) -> bool:
        """One network of the device holds both."""
        networks = (
            ip_network((entry.address, entry.prefix_length), strict=False)
            for entry in tables_of(self.state).addresses.get(self.device.index, ())
        )
        return any(wanted in network and self.source in network for network in networks)


def unheeded(node: str, asker: Asker, station: Station, wanted: Address) -> Decision | None:
    """Why the one who has the address does not answer; None: it does."""
    if station.state is None or wanted.version != asker.source.version or wanted.version == 6:
        return None
    if not largest(station.state, station.link, "rp_filter"):
        return None
    name = asker.name(wanted)
    if name is None:
        return None
    question = Packet(source=name, destination=wanted, protocol=0)
    decisions = tuple(route_input(Here(node=node, state=station.state), question, station.link))
    return None if any(decision.ending is None for decision in decisions) else decisions[0]

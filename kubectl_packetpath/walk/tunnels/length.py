"""Packets that a tunnel refuses since the packet around them would be too long.

IP tunnels do so and tell the sender; VXLAN and Geneve send their outer packet in pieces, unless the frame came over a
bridge.

Kernel: net/ipv4/ip_tunnel.c tnl_update_pmtu, ip_tunnel_core.c skb_tunnel_check_pmtu, net/ipv6/ip6_tunnel.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.fitting import told, too_big
from kubectl_packetpath.walk.place import Place
from kubectl_packetpath.walk.tables import tables_of
from kubectl_packetpath.walk.tunnels.ip import SHAPES
from kubectl_packetpath.walk.tunnels.wrapping import Wrapping

LEAST4, LEAST6 = 576, 1280
FRAMES = {"vxlan", "geneve"}


def refused(place: Place, wrapping: Wrapping, outer: Packet, limit: int) -> Outcome | None:
    """The end of the packet, with the message that its sender gets; None: it is wrapped all the same."""
    tunnel, inner = wrapping.tunnel, wrapping.outcome.packet
    head = outer.size_bytes - inner.size_bytes
    room = limit - head
    reason = (
        f"{inner.size_bytes} bytes and {head} of {outer.wrapping} do not fit into the {limit} of the way out"
    )
    if tunnel.kind in FRAMES:
        if not _is_port(place, tunnel) or (inner.family == 4 and not inner.dont_fragment):
            return None
        return too_big(wrapping.outcome, f"{reason}; {tunnel.name} answers the sender in its place")
    if tunnel.kind not in SHAPES:
        return None
    if SHAPES[tunnel.kind].family == 6:
        room = max(room, LEAST6 if inner.family == 6 else LEAST4)
        refuses = inner.size_bytes > room
    else:
        room = room if outer.dont_fragment else tunnel.mtu
        uncut = inner.dont_fragment if inner.family == 4 else room >= LEAST6
        refuses = uncut and inner.size_bytes > room
    return too_big(wrapping.outcome, reason, told(inner, room)) if refuses else None


def _is_port(place: Place, tunnel: Link) -> bool:
    master = tables_of(place.state).links.get(tunnel.master or 0)
    return master is not None and master.kind == "bridge"

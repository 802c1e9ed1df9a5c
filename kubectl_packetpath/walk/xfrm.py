"""IPsec policies: a packet that one applies to is not followed yet, and says so.

Kernel: net/xfrm/xfrm_policy.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.snapshot.xfrm import XfrmPolicy


def matching(state: NamespaceState, packet: Packet) -> str | None:
    """The policy for this packet on its way out, in words."""
    policies = state.xfrm_policies()
    for policy in () if isinstance(policies, Absent) else policies:
        if policy.direction == "out" and _selects(policy, packet):
            return f"xfrm policy src {policy.source} dst {policy.destination}"
    return None


def _selects(policy: XfrmPolicy, packet: Packet) -> bool:
    return (
        packet.source in policy.source
        and packet.destination in policy.destination
        and (policy.protocol or packet.protocol) == packet.protocol
        and policy.sport in {None, 0, packet.sport}
        and policy.dport in {None, 0, packet.dport}
        and packet.mark & policy.mask == policy.mark & policy.mask
    )

"""IPsec and IPVS state, and the numbers that namespaces have for each other.

Kernel: net/xfrm/xfrm_user.c, net/netfilter/ipvs/ip_vs_ctl.c, net/core/net_namespace.c
"""

import errno
import struct

from kubectl_packetpath.snapshot import NamespacePeer
from kubectl_packetpath.snapshot.ipvs import VirtualServer
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map
from kubectl_packetpath.snapshot.xfrm import XfrmPolicy, XfrmState
from packetpath_agent.wire import NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_XFRM, Netlink, again, name

RTM_GETNSID = 90
NETNSA_NSID, NETNSA_FD = 1, 3
XFRM_MSG_GETSA, XFRM_MSG_GETPOLICY = 18, 21
GENL_CONTROL, CTRL_GETFAMILY = 16, 3


def peers(descriptors: dict[int, int]) -> tuple[NamespacePeer, ...]:
    """What the present namespace calls others, given an open file of each."""
    wire = Netlink(NETLINK_ROUTE)
    found = []
    try:
        for identity, descriptor in descriptors.items():
            wanted = bytes(4) + attribute(NETNSA_FD, struct.pack("=I", descriptor))
            _, body = wire.get(RTM_GETNSID, wanted)[0]
            nsid = struct.unpack("=i", attribute_map(body[4:])[NETNSA_NSID])[0]
            if nsid >= 0:
                found.append(NamespacePeer(nsid=nsid, identity=identity))
    finally:
        wire.close()
    return tuple(found)


def policies() -> tuple[XfrmPolicy, ...]:
    """IPsec policies; where there are some, that they are not decoded yet is an error, not silence."""
    if _xfrm(XFRM_MSG_GETPOLICY):
        raise ValueError("IPsec policies are there, and are not decoded yet")
    return ()


def states() -> tuple[XfrmState, ...]:
    """IPsec associations, likewise."""
    if _xfrm(XFRM_MSG_GETSA):
        raise ValueError("IPsec associations are there, and are not decoded yet")
    return ()


def _xfrm(message: int) -> list[tuple[int, bytes]]:
    wire = Netlink(NETLINK_XFRM)
    try:
        return again(lambda: wire.dump(message, b""))
    except OSError as error:
        if error.errno in {errno.EPROTONOSUPPORT, errno.ENOENT}:
            return []
        raise
    finally:
        wire.close()


def virtual_servers() -> tuple[VirtualServer, ...]:
    """IPVS services; raises OSError (ENOENT) where the kernel has no IPVS."""
    wire = Netlink(NETLINK_GENERIC)
    try:
        wire.get(GENL_CONTROL, struct.pack("=BBH", CTRL_GETFAMILY, 1, 0) + name(2, "IPVS"))
    finally:
        wire.close()
    raise ValueError("IPVS is there, and its services are not decoded yet")

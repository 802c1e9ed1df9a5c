"""The forwarding database of a VXLAN device: behind which host a link address is.

Kernel: drivers/net/vxlan/vxlan_core.c vxlan_find_mac_tx
"""

from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.routing import NUD_NOARP, NUD_PERMANENT, ForwardingEntry
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.trace import Fact
from kubectl_packetpath.walk.tables import rows

EVERYONE = "00:00:00:00:00:00"
"""The address of the entries for frames to all, and to addresses without an entry."""


def entries_for(state: NamespaceState, device: Link, mac: str) -> tuple[ForwardingEntry, ...]:
    """The device's own entries for this link address, else those for every address that is not known."""
    own = [
        entry
        for entry in rows(state.fdb(), "fdb")
        if entry.link == device.index and (entry.destination is not None or entry.nexthop_id is not None)
    ]
    exact = tuple(entry for entry in own if mac and entry.mac == mac)
    return exact or tuple(entry for entry in own if entry.mac == EVERYONE)


def floods(state: NamespaceState, device: Link) -> bool:
    """Whether anybody would hear a question who has an address, or that cannot be said."""
    external = device.vxlan is None or device.vxlan.collect_metadata
    return external or bool(entries_for(state, device, ""))


def entry_fact(node: str, device: Link, entry: ForwardingEntry) -> Fact:
    """The entry as `bridge fdb` prints it."""
    words = [entry.mac, f"dev {device.name}"]
    words += [f"dst {entry.destination}"] if entry.destination is not None else []
    words += [f"nhid {entry.nexthop_id}"] if entry.nexthop_id is not None else []
    words += [f"port {entry.port}"] if entry.port is not None else []
    words += [f"vni {entry.vni}"] if entry.vni is not None else []
    words += ["self permanent" if entry.state & (NUD_PERMANENT | NUD_NOARP) else "self"]
    return Fact(section="fdb", key=f"{node} fdb {entry.mac} dev {device.name}", text=" ".join(words))

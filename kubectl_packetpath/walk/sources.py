"""Which of its own addresses a namespace uses as the source of a packet.

A socket that is not bound, and masquerading, both ask this question.

Kernel: net/ipv4/devinet.c inet_select_addr, net/ipv4/fib_semantics.c fib_result_prefsrc,
net/ipv6/addrconf.c ipv6_dev_get_saddr (RFC 6724)
"""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.links import InterfaceAddress, Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.settings import number
from kubectl_packetpath.walk.tables import Tables, tables_of
from kubectl_packetpath.walk.ways import Way

SCOPE_UNIVERSE, SCOPE_LINK, SCOPE_HOST = 0, 253, 254
IFA_TEMPORARY = 0x01
"""Of an IPv6 address; the bit that is IFA_SECONDARY of an IPv4 one."""
IFA_SECONDARY, IFA_OPTIMISTIC, IFA_DADFAILED, IFA_DEPRECATED, IFA_TENTATIVE = 0x01, 0x04, 0x08, 0x20, 0x40

LABELS = (
    (IPv6Network("::1/128"), 0),
    (IPv6Network("::ffff:0:0/96"), 4),
    (IPv6Network("2002::/16"), 2),
    (IPv6Network("2001::/32"), 5),
    (IPv6Network("2001:10::/28"), 7),
    (IPv6Network("3ffe::/16"), 12),
    (IPv6Network("fec0::/10"), 11),
    (IPv6Network("fc00::/7"), 5),
    (IPv6Network("::/96"), 3),
    (IPv6Network("::/0"), 1),
)
"""The kernel's own label table (net/ipv6/addrlabel.c); `ip addrlabel` could change it."""


def preferred_source(state: NamespaceState, way: Way, destination: Address) -> Address | None:
    """The source of a local packet that goes this way."""
    route = way.route
    if route is not None and route.preferred_source is not None:
        return route.preferred_source
    if destination.version == 6:
        return source6(state, way.device, destination) if way.device is not None else None
    if way.type == "local":
        return destination
    if way.device is None:
        return None
    gateway = way.gateway if way.gateway is not None and way.gateway.version == 4 else None
    return source4(state, way.device, gateway, route.scope if route is not None else SCOPE_UNIVERSE)


def source_for(state: NamespaceState, device: Link, destination: Address) -> Address | None:
    """The address that masquerading takes for packets that leave by this device toward this next hop."""
    if destination.version == 6:
        return source6(state, device, destination)
    return source4(state, device, destination, SCOPE_UNIVERSE)


def source4(state: NamespaceState, device: Link, toward: Address | None, scope: int) -> Address | None:
    """The first primary address of the device in whose network the next hop is, or simply the first."""
    tables = tables_of(state)
    localnet = state.sysctl(f"net/ipv4/conf/{device.name}/route_localnet") == "1"
    narrowest = SCOPE_LINK if localnet or _all_localnet(state) else SCOPE_HOST
    first = None
    for entry in _primary(tables, device.index):
        if min(entry.scope, narrowest) > scope:
            continue
        if toward is None or holds(entry, toward):
            return entry.address
        first = first or entry.address
    return first or _of_any_device(tables, device, scope)


def _all_localnet(state: NamespaceState) -> bool:
    return state.sysctl("net/ipv4/conf/all/route_localnet") == "1"


def _primary(tables: Tables, index: int) -> Iterator[InterfaceAddress]:
    for entry in tables.addresses.get(index, ()):
        if entry.address.version == 4 and not entry.flags & IFA_SECONDARY:
            yield entry


def holds(entry: InterfaceAddress, address: Address) -> bool:
    """Whether the address is of the entry's IPv4 network."""
    bits = 32 - entry.prefix_length
    own = entry.peer if entry.peer is not None else entry.address
    return int(own) >> bits == int(address) >> bits


def _of_any_device(tables: Tables, device: Link, scope: int) -> Address | None:
    """What is left for a device without addresses: the first fitting address of another one."""
    for index in sorted(tables.links):
        if tables.links[index].master != device.master and _in_vrf(tables, device, index):
            continue
        for entry in _primary(tables, index):
            if entry.scope != SCOPE_LINK and entry.scope <= scope:
                return entry.address
    return None


def _in_vrf(tables: Tables, device: Link, index: int) -> bool:
    """Whether the two devices belong to different VRFs."""

    def vrf(link: Link) -> int | None:
        master = tables.links.get(link.master or 0)
        return master.index if master is not None and master.vrf_table is not None else None

    return vrf(device) != vrf(tables.links[index])


def source6(state: NamespaceState, device: Link | None, destination: Address) -> Address | None:
    """The best candidate by the rules of RFC 6724; None: the device is not known yet."""
    tables = tables_of(state)
    narrow = device is not None and (
        destination.is_link_local
        or destination.is_multicast
        or number(state, f"net/ipv6/conf/{device.name}/use_oif_addrs_only") > 0
    )
    candidates = [
        entry
        for index in ([device.index] if device is not None and narrow else sorted(tables.links))
        for entry in tables.addresses.get(index, ())
        if entry.address.version == 6
        and (not entry.flags & (IFA_TENTATIVE | IFA_DADFAILED) or entry.flags & IFA_OPTIMISTIC)
        and not entry.address.is_unspecified
    ]
    if not candidates:
        return None
    return max(candidates, key=lambda entry: _rank6(state, entry, device, destination)).address


def _rank6(
    state: NamespaceState, entry: InterfaceAddress, device: Link | None, destination: Address
) -> tuple[int, ...]:
    address = entry.address
    scope, wanted = scope6(address), scope6(destination)
    return (
        address == destination,
        -scope if scope >= wanted else scope - 128,
        not entry.flags & IFA_DEPRECATED,
        device is not None and entry.link == device.index,
        label6(address) == label6(destination),
        bool(entry.flags & IFA_TEMPORARY) == _prefers_temporary(state, entry),
        min(entry.prefix_length, _common_bits(address, destination)),
    )


def _prefers_temporary(state: NamespaceState, entry: InterfaceAddress) -> bool:
    """Whether the address's device would rather be seen with an address that changes every day (RFC 8981)."""
    return number(state, f"net/ipv6/conf/{tables_of(state).links[entry.link].name}/use_tempaddr") > 1


def scope6(address: Address) -> int:
    """The scope of RFC 4007: 1 interface, 2 link, 5 site, 14 global."""
    if isinstance(address, IPv6Address) and address.is_multicast:
        return address.packed[1] & 0x0F
    if address.is_loopback:
        return 1
    if address.is_link_local:
        return 2
    return 5 if isinstance(address, IPv6Address) and address.is_site_local else 14


def label6(address: Address) -> int:
    """The label by which sources and destinations of one kind find each other."""
    networks = [(network, label) for network, label in LABELS if address in network]
    return max(networks, key=lambda pair: pair[0].prefixlen)[1]


def _common_bits(one: Address, other: Address) -> int:
    return 128 - (int(one) ^ int(other)).bit_length()

"""WireGuard devices: encrypted UDP to the peer that may have the packet's destination.

The same list of addresses decides on both sides: to which peer a packet goes, and from which peer it is believed.

Kernel: drivers/net/wireguard/device.c wg_xmit, send.c, socket.c send4, receive.c wg_packet_consume_data_done
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from kubectl_packetpath.packet import UDP, Address, Packet
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.snapshot.xfrm import WireguardDevice, WireguardPeer
from kubectl_packetpath.trace import Ending, Fact, Outcome, Verdict
from kubectl_packetpath.walk.here import ended
from kubectl_packetpath.walk.place import Departure, Place
from kubectl_packetpath.walk.settings import default_ttl
from kubectl_packetpath.walk.tables import rows, tables_of
from kubectl_packetpath.walk.tunnels.headers import UDP_BYTES, ip_bytes, outer_tos
from kubectl_packetpath.walk.tunnels.wrapping import Wrapping, lost, unwrapped

HEADER_BYTES, TAG_BYTES, BLOCK_BYTES = 16, 16, 16


def wrap(place: Place, departure: Departure, device: Link) -> Iterator[Wrapping]:
    """Encrypt the packet for the peer that may have its destination."""
    outcome = departure.outcome
    settings = _settings(place.state, device)
    inner = outcome.packet
    peer = peer_for(settings, inner.destination)
    if peer is None:
        reason = f"no peer of {device.name} may have {inner.destination} (allowed IPs)"
        yield Wrapping(outcome=_refused(outcome, reason, _facts(place, device, settings)), tunnel=device)
        return
    fact = peer_fact(place, device, peer)
    if peer.endpoint is None:
        reason = f"where the peer {peer.public_key} of {device.name} is, is not known (no endpoint)"
        yield Wrapping(outcome=_refused(outcome, reason, (fact,)), tunnel=device)
        return
    family = peer.endpoint.version
    outer = Packet(
        source=type(peer.endpoint)(0),
        destination=peer.endpoint,
        protocol=UDP,
        sport=settings.listen_port,
        dport=peer.endpoint_port,
        ttl=default_ttl(place.state, family),
        tos=outer_tos(0, inner),
        size_bytes=sealed_bytes(inner.size_bytes, device.mtu) + UDP_BYTES + ip_bytes(family),
        dont_fragment=False,
        mark=settings.mark,
        priority=inner.priority,
        uid=inner.uid,
        gid=inner.gid,
        inner=inner,
        encapsulation="wireguard",
        sealed=(settings.public_key, peer.public_key),
    )
    yield Wrapping(outcome=outcome, tunnel=device, outer=outer, because=(fact,))


def sealed_bytes(size: int, mtu: int) -> int:
    """The length of the message: what is inside is filled up to a multiple of 16 bytes, but not past the MTU."""
    filled = -(-size // BLOCK_BYTES) * BLOCK_BYTES
    if size <= mtu < filled:
        filled = mtu
    return HEADER_BYTES + filled + TAG_BYTES


def peer_for(settings: WireguardDevice, address: Address) -> WireguardPeer | None:
    """The peer with the longest prefix that holds this address."""
    found = [
        (network.prefixlen, peer)
        for peer in settings.peers
        for network in peer.allowed
        if address.version == network.version and address in network
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def unwrap(place: Place, outcome: Outcome) -> Departure:
    """Decrypt it, if it is for us, from a peer that we know, and from an address that this peer may have."""
    outer, inner = outcome.packet, outcome.packet.inner
    found = [
        (link, settings)
        for settings in rows(place.state.wireguard(), "wireguard")
        if (link := tables_of(place.state).links.get(settings.link)) is not None
        and link.is_up
        and settings.listen_port == outer.dport
    ]
    if not found or inner is None or outer.sealed is None:
        reason = f"no WireGuard device listens on UDP port {outer.dport} of {place.node.name}"
        return Departure(outcome=lost(outcome, reason, remedy="wg show"))
    link, settings = found[0]
    sender, receiver = outer.sealed
    if settings.public_key and receiver != settings.public_key:
        reason = f"it was encrypted for the key {receiver}, and {link.name} of {place.node.name} has {settings.public_key}"
        return Departure(outcome=lost(outcome, reason, _facts(place, link, settings)))
    peer = next((each for each in settings.peers if each.public_key == sender), None)
    if peer is None:
        reason = f"{link.name} of {place.node.name} does not know the sender's key {sender}"
        return Departure(outcome=lost(outcome, reason, _facts(place, link, settings)))
    fact = peer_fact(place, link, peer)
    if peer_for(settings, inner.source) is not peer:
        reason = (
            f"{link.name} of {place.node.name} does not believe {inner.source} of this peer (allowed IPs)"
        )
        return Departure(outcome=lost(outcome, reason, (fact,)))
    return unwrapped(outcome, link, (fact,), mark=0)


def _refused(outcome: Outcome, reason: str, because: tuple[Fact, ...]) -> Outcome:
    """The sender is told that the host cannot be reached."""
    ending = Ending(verdict=Verdict.NO_NEIGHBOUR, reason=reason, remedy="wg show")
    return ended(outcome, ending, because=because)


def _settings(state: NamespaceState, device: Link) -> WireguardDevice:
    found = (each for each in rows(state.wireguard(), "wireguard") if each.link == device.index)
    return next(found, WireguardDevice(link=device.index))


def _facts(place: Place, device: Link, settings: WireguardDevice) -> tuple[Fact, ...]:
    return tuple(peer_fact(place, device, peer) for peer in settings.peers)


def peer_fact(place: Place, device: Link, peer: WireguardPeer) -> Fact:
    """The peer much as `wg show` prints it."""
    words = [f"peer {peer.public_key}"]
    words += [f"endpoint {peer.endpoint} port {peer.endpoint_port}"] if peer.endpoint is not None else []
    words += [f"allowed ips {', '.join(map(str, peer.allowed)) or '(none)'}"]
    seen = datetime.fromtimestamp(peer.last_handshake, UTC) if peer.last_handshake else None
    words += [f"latest handshake {seen:%Y-%m-%dT%H:%M:%SZ}" if seen is not None else "no handshake yet"]
    return Fact(
        section="link",
        key=f"{place.node.name} wireguard {device.name} peer {peer.public_key}",
        text=" ".join(words),
    )

"""IPsec: which packets must be encrypted, with which association, and which are believed when they come in.

A policy without its association loses packets silently, and so does one that exists in one direction only.

Kernel: net/xfrm/xfrm_policy.c xfrm_lookup_with_ifid, __xfrm_policy_check; xfrm_input.c, net/ipv4/xfrm4_policy.c
"""

from dataclasses import replace

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.snapshot.xfrm import XfrmPolicy, XfrmState, XfrmTemplate
from kubectl_packetpath.trace import Ending, Fact, Outcome, Step, StepKind, Verdict
from kubectl_packetpath.walk.here import ended, unknown
from kubectl_packetpath.walk.place import Departure, Place, noted, with_packet

ESP = 50
NAMES = {50: "esp", 51: "ah", 108: "comp"}
LEAST_BYTES = 34
"""What ESP adds with AES-GCM, without padding; other algorithms add more."""
IP_BYTES = {4: 20, 6: 40}


def matching(state: NamespaceState, packet: Packet, direction: str) -> XfrmPolicy | None:
    """The policy that counts for this packet: of those that select it, the one of least priority number."""
    policies = state.xfrm_policies()
    found = [
        policy
        for policy in (() if isinstance(policies, Absent) else policies)
        if policy.direction == direction and not policy.if_id and _selects(policy, packet)
    ]
    return min(found, key=lambda policy: policy.priority, default=None)


def _selects(policy: XfrmPolicy, packet: Packet) -> bool:
    return (
        packet.source in policy.source
        and packet.destination in policy.destination
        and (policy.protocol or packet.protocol) == packet.protocol
        and policy.sport in {None, 0, packet.sport}
        and policy.dport in {None, 0, packet.dport}
        and packet.mark & policy.mask == policy.mark & policy.mask
    )


def protected(place: Place, outcome: Outcome) -> Departure | None:
    """What IPsec makes of a packet on its way out; None: it goes as it is."""
    packet = outcome.packet
    if packet.encapsulation == "esp":
        return None
    policy = matching(place.state, packet, "out")
    if policy is None:
        return None
    fact = policy_fact(place, policy)
    if policy.action == "block":
        return Departure(outcome=_dropped(outcome, "an IPsec policy blocks it", (fact,)))
    wanted = [each for each in policy.templates if not each.optional]
    if not policy.templates:
        return None
    if len(policy.templates) > 1 or policy.templates[0].protocol != ESP or not wanted:
        text = f"{place.node.name}: {fact.text}: more than one ESP association is not modelled"
        return Departure(outcome=unknown(outcome, text, (fact,)))
    return _encrypted(place, outcome, wanted[0], fact)


def _encrypted(place: Place, outcome: Outcome, template: XfrmTemplate, fact: Fact) -> Departure:
    packet, states = outcome.packet, place.state.xfrm_states()
    if isinstance(states, Absent) and states.why is not Why.NOT_LOADED:
        text = f"{place.node.name}: the IPsec associations could not be read: {states.detail or states.why.value}"
        return Departure(outcome=unknown(outcome, text, (fact,)))
    known = () if isinstance(states, Absent) else states
    state = next((each for each in known if _serves(each, template, packet)), None)
    if state is None:
        ends = f"{template.source or packet.source} to {template.destination or packet.destination}"
        reason = f"it must be encrypted, and there is no IPsec association from {ends}"
        return Departure(outcome=_dropped(outcome, reason, (fact,), remedy="ip xfrm state"))
    facts = (fact, state_fact(place, state))
    if state.udp_port is not None or state.mode not in {"tunnel", "transport"}:
        text = f"{place.node.name}: an IPsec association of mode {state.mode}, or in UDP, is not modelled"
        return Departure(outcome=unknown(outcome, text, facts))
    outer = _outer(packet, state)
    step = Step(
        kind=StepKind.ENCRYPTED,
        text=f"IPsec encrypts it ({state.mode} mode): {state.source} → {state.destination} SPI {state.spi:#x}",
        because=facts,
        before=packet,
        after=outer,
    )
    return Departure(outcome=with_packet(noted(outcome, step), outer), secured=True)


def _serves(state: XfrmState, template: XfrmTemplate, packet: Packet) -> bool:
    source, destination = template.source, template.destination
    if template.mode != "tunnel":
        source, destination = packet.source, packet.destination
    return (
        state.destination == destination
        and source in {None, state.source}
        and (state.protocol, state.mode) == (template.protocol, template.mode)
        and (not template.reqid or state.reqid == template.reqid)
    )


def _outer(packet: Packet, state: XfrmState) -> Packet:
    tunnel = state.mode == "tunnel"
    more = LEAST_BYTES + (IP_BYTES[state.destination.version] if tunnel else 0)
    return replace(
        packet,
        source=state.source,
        destination=state.destination,
        protocol=ESP,
        sport=None,
        dport=None,
        icmp_type=None,
        icmp_code=None,
        icmp_id=None,
        tcp_flags=0,
        ttl=64 if tunnel else packet.ttl,
        size_bytes=packet.size_bytes + more,
        connection=None,
        inner=packet,
        encapsulation="esp",
        vni=state.spi,
        decrypted=False,
    )


def opened(place: Place, outcome: Outcome, device: Link) -> Departure:
    """Decrypt a packet that came to an address of this host, by the association of its SPI."""
    outer, inner, states = outcome.packet, outcome.packet.inner, place.state.xfrm_states()
    known = () if isinstance(states, Absent) else states
    state = next(
        (s for s in known if (s.destination, s.spi, s.protocol) == (outer.destination, outer.vni, ESP)), None
    )
    if state is None or inner is None:
        reason = (
            f"{place.node.name} has no IPsec association for {outer.destination} with SPI {outer.vni or 0:#x}"
        )
        return Departure(outcome=_dropped(outcome, reason, (), remedy="ip xfrm state"))
    plain = replace(inner, mark=outer.mark, connection=None, uid=None, gid=None, decrypted=True)
    plain = replace(plain, source_mac="", destination_mac="")
    text = f"IPsec decrypts it ({state.mode} mode), from {outer.source}"
    facts = (state_fact(place, state),)
    step = Step(kind=StepKind.DECRYPTED, text=text, because=facts, before=outer, after=plain)
    return Departure(outcome=with_packet(noted(outcome, step), plain), device=device, comes_in=True)


def unbelieved(place: Place, outcome: Outcome, direction: str) -> Outcome | None:
    """Why IPsec does not let a packet in: a policy wants it encrypted, or none allows what was."""
    packet = outcome.packet
    policy = matching(place.state, packet, direction)
    if policy is None:
        if not packet.decrypted:
            return None
        reason = f"it was decrypted, and no IPsec policy of direction {direction} allows it"
        return _dropped(outcome, reason, (), remedy="ip xfrm policy")
    fact = policy_fact(place, policy)
    if policy.action == "block":
        return _dropped(outcome, "an IPsec policy blocks it", (fact,))
    if any(not each.optional for each in policy.templates) and not packet.decrypted:
        return _dropped(outcome, "an IPsec policy wants it encrypted, and it came in plain", (fact,))
    return None


def _dropped(outcome: Outcome, reason: str, because: tuple[Fact, ...], remedy: str = "") -> Outcome:
    ending = Ending(verdict=Verdict.DROPPED, reason=reason, remedy=remedy)
    return ended(outcome, ending, kind=StepKind.DROPPED, because=because)


def policy_fact(place: Place, policy: XfrmPolicy) -> Fact:
    """The policy much as `ip xfrm policy` prints it."""
    words = [f"src {policy.source} dst {policy.destination} dir {policy.direction}"]
    words += [f"action {policy.action}"] if policy.action != "allow" else []
    words += [f"priority {policy.priority}"]
    for each in policy.templates:
        ends = f"tmpl src {each.source or 'any'} dst {each.destination or 'any'}"
        words += [
            f"{ends} proto {NAMES.get(each.protocol, each.protocol)} reqid {each.reqid} mode {each.mode}"
        ]
    key = f"{place.node.name} xfrm policy {policy.direction} {policy.source} {policy.destination}"
    return Fact(section="xfrm", key=key, text=" ".join(words))


def state_fact(place: Place, state: XfrmState) -> Fact:
    """The association much as `ip xfrm state` prints it, without its keys."""
    proto = NAMES.get(state.protocol, str(state.protocol))
    text = f"src {state.source} dst {state.destination} proto {proto} spi {state.spi:#010x}"
    key = f"{place.node.name} xfrm state {state.destination} {state.spi:#x}"
    return Fact(section="xfrm", key=key, text=f"{text} reqid {state.reqid} mode {state.mode}")

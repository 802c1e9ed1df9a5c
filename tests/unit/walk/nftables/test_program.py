"""Long chains are skipped by their bytes, and nothing is skipped that matters."""

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from kubectl_packetpath.packet import TCP, UDP
from kubectl_packetpath.snapshot.nftables_messages import DROP
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.nftables.program import Skipper, program_of
from kubectl_packetpath.walk.nftables.registers import Registers

from .rules import PACKET, chains, cmp, decide, expression, meta, payload, rule, told, walked

L4PROTO = 16
DESTINATION = payload(1, 16, 4)


def for_address(last: int, protocol: int = TCP) -> bytes:
    """A rule like those of KUBE-SERVICES."""
    wanted = ip_address(f"10.0.0.{last}").packed
    return rule(meta(L4PROTO), cmp(bytes([protocol])), DESTINATION, cmp(wanted), decide(DROP))


@given(
    wanted=st.lists(st.tuples(st.integers(0, 9), st.sampled_from([TCP, UDP])), max_size=12),
    target=st.integers(0, 9),
)
def test_the_first_rule_that_fits_is_found(wanted: list[tuple[int, int]], target: int) -> None:
    """However many others stand before it."""
    made = chains(base=tuple(for_address(last, protocol) for last, protocol in wanted))
    packet = replace(PACKET, destination=ip_address(f"10.0.0.{target}"))

    (outcome,) = walked(made, packet)

    found = next((number for number, each in enumerate(wanted, 1) if each == (target, TCP)), None)
    assert told(outcome) == ([] if found is None else [f"dropped base/{found}"])


def test_a_rule_that_counts_first_is_always_looked_at() -> None:
    """Only what merely loads and compares may be skipped."""
    counting = rule(expression("counter"), DESTINATION, cmp(b"\x0a\0\0\x01"), decide(DROP))
    skipper = Skipper()

    skipper.learn(counting, program_of(counting), 2, Registers())

    assert skipper.next_candidate((counting, counting), 0) == 0


def test_bytes_that_are_no_rule_end_in_unknown() -> None:
    """They are neither a match nor none."""
    (outcome,) = walked(chains(base=(b"\x02\x00\x04\x80garbage",)))

    assert outcome.ending is not None
    assert outcome.ending.verdict is Verdict.UNKNOWN

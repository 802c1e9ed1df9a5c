"""The kernel and a recording of it answer the same questions alike."""

import struct
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel.agent.room import Full, fresh, recorded, rows
from kernel.lab import lab

from kubectl_packetpath.snapshot import Snapshot
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.codec import decode, encode
from kubectl_packetpath.snapshot.netlink import attribute_map, attributes
from kubectl_packetpath.snapshot.nftables import Nftables, NftChain, NftLookup
from kubectl_packetpath.snapshot.recorded import RecordedNode
from kubectl_packetpath.snapshot.state import NamespaceState, NotRecorded
from packetpath_agent.collectors.nftables import NftReader
from packetpath_agent.live import LiveNamespace
from packetpath_agent.netns import Found, inside
from testbed.netns import succeed

pytestmark = pytest.mark.kernel

RULE_EXPRESSIONS, EXPRESSION_NAME, EXPRESSION_DATA = 4, 1, 2

SMALL = (
    "links",
    "addresses",
    "policy_rules",
    "routes",
    "nexthops",
    "fdb",
    "xfrm_policies",
    "wireguard",
    "ipvs",
)
NEAR = [
    *(bytes([10, n, 0, 0]) for n in (0, 1, 255)), bytes([9, 255, 255, 255]), bytes([11, 0, 0, 0]),
    bytes([192, 0, 2, 4]), bytes([192, 0, 2, 5]), bytes([192, 0, 2, 6]),
    *(bytes([198, 51, 100, n]) for n in (0, 9, 10)), bytes(4), b"\xff" * 4,
]  # fmt: skip
ADDRESSES = st.sampled_from(NEAR) | st.binary(min_size=4, max_size=4)
PORTS = st.sampled_from([21, 22, 23, 79, 80, 90, 91, 64999, 65000, 65535]) | st.integers(0, 65535)
KEYS = st.one_of(
    st.tuples(st.sampled_from(["m", "r", "rest"]), ADDRESSES),
    st.tuples(st.just("p"), PORTS.map(lambda port: struct.pack("!H", port))),
    st.tuples(st.just("s"), st.builds(lambda a, p: a + struct.pack("!Hxx", p), ADDRESSES, PORTS)),
)


def key_of(answer: NftLookup | Absent) -> object:
    """Which element was found, as far as its bytes do not change from one reading to the next."""
    assert not isinstance(answer, Absent), answer
    if answer.element is None:
        return None
    return {kind: value for kind, value in attribute_map(answer.element).items() if kind in {1, 2, 3}}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(KEYS)
def test_a_recording_finds_what_the_kernel_finds(full: Full, asked: tuple[str, bytes]) -> None:
    """Exact keys, intervals, ranges in concatenations and the element for all others."""
    name, key = asked
    with fresh(full) as state:
        kernel = state.nft_lookup(1, "t", name, key)
    assert full.recorded is not None

    assert key_of(full.recorded.nft_lookup(1, "t", name, key)) == key_of(kernel)


@pytest.mark.parametrize("subject", SMALL)
def test_the_small_tables_survive_a_recording(full: Full, subject: str) -> None:
    """What was read comes out of the file as it went in."""
    assert getattr(recorded(full), subject)() == getattr(full.state, subject)()


def ask(state: NamespaceState) -> list[object]:
    """Some questions, as a walk asks them."""
    tables = rows(state.legacy_tables())
    return [
        state.legacy_chain(4, "nat", tables[0].hook_entry[0]),
        state.nft_chain(1, "t", "in"),
        state.nft_chain(2, "mangle", "OTHER"),
        state.nft_lookup(1, "t", "m", bytes([10, 1, 1, 2])),
        state.nft_lookup(1, "t", "rest", bytes([10, 9, 9, 9])),
        state.nft_object(1, "t", 1, "hits"),
        state.ipset_named("pods"),
        state.sysctl("net/ipv4/ip_forward"),
        state.routes(),
        state.conntrack_active(),
    ]


def test_what_a_question_touched_answers_it_again(full: Full) -> None:
    """The narrowed recording answers just as the kernel did, and knows that it was not asked for more."""
    with fresh(full) as state:
        answers = ask(state)
        narrowed = Snapshot(node="n", taken_at="", namespaces=(state.narrowed(),))
    replayed = RecordedNode(decode(encode(narrowed))).host()

    assert ask(replayed) == answers
    for more in (
        lambda: replayed.nft_chain(1, "t", "c"),
        lambda: replayed.nft_lookup(1, "t", "m", bytes([10, 1, 1, 1])),
        lambda: replayed.ipset_named("many"),
        replayed.neighbours,
    ):
        with pytest.raises(NotRecorded):
            more()


def still(chain: NftChain | Absent) -> object:
    """A chain without its counters, which any stray packet moves between two readings."""
    assert isinstance(chain, NftChain), chain
    rules = [still_rule(message) for message in rows(chain.rules)]
    return replace(chain, policy_packets=None, policy_bytes=None, rules=()), rules


def still_rule(message: bytes) -> object:
    """A rule's attributes, its expressions one by one, without what a counter holds."""
    parts = attribute_map(message)
    expressions = [attribute_map(each) for _, each in attributes(parts.pop(RULE_EXPRESSIONS, b""))]
    return parts, [
        (each[EXPRESSION_NAME], b"" if each[EXPRESSION_NAME] == b"counter\0" else each.get(EXPRESSION_DATA))
        for each in expressions
    ]


def test_every_chain_of_a_whole_recording(full: Full) -> None:
    """Each chain's rules are those that the kernel gives when asked for that chain alone."""
    state = full.state.nft.narrowed()
    assert isinstance(state, Nftables)
    whole = recorded(full)
    with fresh(full) as live:
        for chain in state.chains:
            where = (chain.family, chain.table, chain.name)
            assert still(live.nft_chain(*where)) == still(whole.nft_chain(*where))


def test_a_packed_recording_holds_what_the_others_hold(full: Full) -> None:
    """The agent's command squeezes the ruleset while it reads it: the client finds every chain and element."""
    with fresh(full) as live:
        live.read_everything(packed=True)
        snapshot = Snapshot(node="n", taken_at="", namespaces=(live.narrowed(whole=True),))
    packed, other = decode(encode(snapshot)).host.nftables, full.state.nft.narrowed()
    assert isinstance(packed, Nftables)
    assert isinstance(other, Nftables)

    assert [still(chain) for chain in packed.chains] == [still(chain) for chain in other.chains]
    assert packed.sets == other.sets
    assert packed.tables == other.tables


def test_maps_of_numbers_are_read_by_their_keys() -> None:
    """What kube-proxy chooses by chance from, and what only looks like it, with more rules than one socket reads."""
    chains = "".join(
        f"chain c{n} {{ meta l4proto tcp dnat ip to numgen random mod {1 + n % 40} map"
        f" {{ {', '.join(f'{k} : 10.0.{n // 256}.{k} . 80' for k in range(1 + n % 40))} }}; }}\n"
        for n in range(300)
    )
    others = (
        "chain near { ip daddr { 0.0.0.0, 0.0.0.2 } accept; ip daddr { 10.0.0.0/8 } accept;"
        " ip daddr { 10.0.0.1, 10.0.0.2 } accept; }\n"
    )
    with lab("numbers") as made:
        made.add("n")
        succeed([*made["n"].enter, "nft", "-f", "-"], stdin=f"table ip t {{ {chains}{others} }}")
        live = LiveNamespace(
            Found(identity=made["n"].path.stat().st_ino, path=made["n"].path), is_host=True, pod=None
        )
        live.nft.read_everything()
        read = live.nft.narrowed()
        with inside(live.descriptor):
            wire = NftReader()
        live.close()
        assert isinstance(read, Nftables)
        dumped = [sorted(wire.elements(each.family, each.table, each.name)) for each in read.sets]
        wire.close()

    assert [sorted(rows(each.elements)) for each in read.sets] == dumped
    assert sum(map(len, dumped)) > 5000

"""Parts of a recording that were squeezed where they arose."""

import zlib
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.codec import decode, encode, squeeze
from kubectl_packetpath.snapshot.nftables import Nftables, NftChain
from kubectl_packetpath.snapshot.squeeze import Squeezed, squeezed, stream

PARTS = st.lists(st.tuples(st.booleans(), st.binary(max_size=2000)), max_size=8)


@given(PARTS)
def test_the_stream_unfolds_to_all_parts_in_order(parts: list[tuple[bool, bytes]]) -> None:
    """Any reader of zlib streams takes it, checksum and all."""
    pieces: list[bytes | Squeezed] = [squeezed([raw], 1) if ready else raw for ready, raw in parts]

    assert zlib.decompress(stream(pieces)) == b"".join(raw for _, raw in parts)


def test_nothing_of_a_part_refers_to_what_stands_before_it() -> None:
    """The same bytes on both sides of a squeezed part come out as they went in."""
    same = bytes(range(256)) * 40

    assert zlib.decompress(stream([same, squeezed([same], 1), same])) == same * 3


def test_squeezed_records_are_read_as_those_that_were_not() -> None:
    """How an agent packed a ruleset is not seen in the recording."""
    chains = tuple(
        NftChain(family=2, table="t", name=f"c{n}", handle=n, rules=(b"rule" * n,)) for n in range(40)
    )
    parts = cast("tuple[NftChain, ...]", (squeeze(chains[:30]), squeeze(chains[30:])))

    def recording(listed: tuple[NftChain, ...]) -> Snapshot:
        rules = Nftables(generation=1, chains=listed)
        return Snapshot(
            node="n", taken_at="", namespaces=(NetworkNamespace(identity=1, is_host=True, nftables=rules),)
        )

    assert decode(encode(recording(parts))) == recording(chains)

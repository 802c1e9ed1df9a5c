"""Recordings: what goes in comes out, and nothing else is taken for one."""

import zlib
from ipaddress import ip_address, ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_packetpath.snapshot import SCHEMA, NetworkNamespace, PodReference, Snapshot
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.codec import MAGIC, RecordingError, decode, encode
from kubectl_packetpath.snapshot.links import InterfaceAddress, Link, Vxlan
from kubectl_packetpath.snapshot.routing import NextHop, Route

NAMES = st.text(max_size=20)
LINKS = st.builds(
    Link,
    index=st.integers(1, 9999),
    name=NAMES,
    kind=NAMES,
    vxlan=st.none() | st.just(Vxlan(vni=1, port=8472)),
)
ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)
NAMESPACES = st.builds(
    NetworkNamespace,
    identity=st.integers(1, 2**40),
    is_host=st.booleans(),
    pod=st.none() | st.builds(PodReference, uid=NAMES, name=NAMES),
    links=st.lists(LINKS, max_size=3).map(tuple) | st.just(Absent(why=Why.NOT_PERMITTED)),
    addresses=st.lists(
        st.builds(InterfaceAddress, link=st.just(1), address=ADDRESSES, prefix_length=st.just(24)), max_size=3
    ).map(tuple),
)
SNAPSHOTS = st.builds(
    Snapshot, node=NAMES, taken_at=NAMES, namespaces=st.lists(NAMESPACES, max_size=3).map(tuple)
)


def framed(plain: object, schema: int = SCHEMA) -> bytes:
    """Plain data as the bytes of a recording."""
    return MAGIC + bytes([schema]) + zlib.compress(msgspec.msgpack.encode(plain))


@given(SNAPSHOTS)
def test_what_goes_in_comes_out(snapshot: Snapshot) -> None:
    """Encoding and decoding again changes nothing."""
    assert snapshot == decode(encode(snapshot))


def test_routes_survive() -> None:
    """Networks and next hops keep their types."""
    hop = NextHop(device=2, gateway=ip_address("fe80::1"), weight=3)
    route = Route(destination=ip_network("10.0.0.0/8"), hops=(hop,))
    snapshot = Snapshot(node="n", taken_at="", namespaces=(NetworkNamespace(identity=1, routes=(route,)),))

    assert snapshot == decode(encode(snapshot))


@given(st.integers(0, 400))
def test_a_truncated_recording_is_refused(length: int) -> None:
    """No prefix of a recording is taken for one."""
    whole = encode(Snapshot(node="n", taken_at="now", namespaces=(NetworkNamespace(identity=1),)))

    with pytest.raises(RecordingError):
        decode(whole[: min(length, len(whole) - 1)])


def test_a_newer_recording_says_what_to_do() -> None:
    """A recording of a later schema asks for an update."""
    with pytest.raises(RecordingError, match="newer packetpath"):
        decode(framed({}, SCHEMA + 1))


@pytest.mark.parametrize(
    ("plain", "problem"),
    [
        ({"_": "Snapshot", "node": "n", "taken_at": "", "surprise": 1}, "unknown surprise"),
        ({"_": "Snapshot", "node": "n"}, "without taken_at"),
        ({"_": "Snapshot", "node": 7, "taken_at": ""}, "int where str belongs"),
        ({"_": "Link", "index": 1, "name": "eth0"}, "something else where Snapshot belongs"),
        ([], "something else where Snapshot belongs"),
        (
            {"_": "Snapshot", "node": "n", "taken_at": "", "namespaces": [{"_": "Nonsense"}]},
            "Nonsense|belongs",
        ),
    ],
)
def test_what_does_not_fit_is_refused(plain: object, problem: str) -> None:
    """Stray keys, missing keys and wrong types are one sentence each."""
    with pytest.raises(RecordingError, match=problem):
        decode(framed(plain))


def test_a_bomb_does_not_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that would fill the memory is refused."""
    monkeypatch.setattr("kubectl_packetpath.snapshot.codec.LARGEST_BYTES", 1000)

    with pytest.raises(RecordingError, match="unfolds"):
        decode(framed([0] * 100_000))


def test_something_else_is_no_recording() -> None:
    """Any other file is named as such."""
    with pytest.raises(RecordingError, match="not a packetpath snapshot"):
        decode(b"PK\x03\x04 whatever")

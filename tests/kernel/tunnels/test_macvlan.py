"""Pods whose devices share the node's wire (macvlan, ipvlan): who reaches whom, mode by mode."""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, happened, lab, predicted, question, walk

from kubectl_packetpath.trace import Verdict

pytestmark = pytest.mark.kernel

ADDRESSES = {"host": "10.5.0.1", "one": "10.5.0.2", "two": "10.5.0.3", "outside": "10.5.0.9"}
ADDRESSES6 = {name: f"fd05::{address.rsplit('.', 1)[1]}" for name, address in ADDRESSES.items()}


IPVLAN = pytest.param("ipvlan mode l2", marks=pytest.mark.vm)


@pytest.fixture(params=["macvlan mode bridge", "macvlan mode private", "macvlan mode vepa", IPVLAN])
def shared(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A node with two pods on its wire, and somebody else at the other end."""
    with lab("macvlan") as made:
        made.add("host", "one", "two", "outside")
        made.connect(("host", "eth0"), ("outside", "eth0"))
        for name in ("one", "two"):
            made["host"].ip(
                f"link add {name} link eth0 type {request.param}",
                f"link set {name} netns {made[name].name} name eth0",
            )
        for name, address in ADDRESSES.items():
            made[name].ip(
                "link set eth0 up",
                f"addr add {address}/24 dev eth0",
                f"addr add {ADDRESSES6[name]}/64 dev eth0 nodad",
            )
            made.serve(name, "tcp:8080")
        yield made


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("client", ADDRESSES)
def test_who_reaches_whom(shared: Lab, client: str, family: int) -> None:
    """Pods reach each other only in modes bridge and l2, the wire in all, and their own node in none."""
    table = ADDRESSES if family == 4 else ADDRESSES6
    for server, address in table.items():
        if server == client:
            continue
        seen = happened(shared, client, address, 8080)
        told = predicted(shared, client, address, 8080)
        assert {_ends(result) for result in told} == {_ends(seen)}, (client, server)


def _ends(result: tuple[str, str, str]) -> tuple[str, str, str]:
    """Nobody answering for an address is an error or a timeout, whichever the client's patience lets it see."""
    return ("lost", "", "") if result[0] in {"unreachable", "timeout"} else result


def test_the_nodes_own_pods_are_out_of_its_reach(shared: Lab) -> None:
    """The reason is the neighbour that never answers."""
    paths = walk(shared, "host", question(ADDRESSES["one"], 8080))

    assert [path.ending.verdict for path in paths] == [Verdict.NO_NEIGHBOUR]


def test_the_wire_is_down(shared: Lab) -> None:
    """With its wire a shared device is down, too."""
    shared["host"].ip("link set eth0 down")

    (path,) = walk(shared, "one", question(ADDRESSES["outside"], 8080))

    assert path.ending.verdict in {Verdict.DROPPED, Verdict.NO_NEIGHBOUR}
    assert happened(shared, "one", ADDRESSES["outside"], 8080)[0] != "reached"


def test_passthru_takes_everything() -> None:
    """One pod has the wire, and the node itself hears nothing."""
    with lab("passthru") as made:
        made.add("host", "one", "outside")
        made.connect(("host", "eth0"), ("outside", "eth0"))
        made["host"].ip(
            "link add one link eth0 type macvlan mode passthru",
            f"link set one netns {made['one'].name} name eth0",
        )
        for name in ("one", "outside"):
            made[name].ip("link set eth0 up", f"addr add {ADDRESSES[name]}/24 dev eth0")
            made.serve(name, "tcp:8080")

        for client, server in (("one", "outside"), ("outside", "one")):
            expected = predicted(made, client, ADDRESSES[server], 8080)
            assert expected == {happened(made, client, ADDRESSES[server], 8080)}
            assert {result for result, *_ in expected} == {"reached"}

"""What decides at bridges and is not modelled: programs, which see what comes up by any port, and settings of ports."""

from collections.abc import Iterator

import pytest
from kernel.lab import Lab, assumptions, happened, lab, predicted, question, walk
from kernel.networks.programs import clsact

from testbed.netns import succeed

pytestmark = pytest.mark.kernel

HOST = "10.6.0.1"


@pytest.fixture
def bridged() -> Iterator[Lab]:
    """A host whose address is at its bridge, and a client at a port."""
    with lab("brprog") as made:
        made.add("host", "client")
        made.connect(("host", "port"), ("client", "eth0"))
        made["host"].ip(
            "link add br0 type bridge",
            "link set br0 up",
            "link set port master br0",
            f"addr add {HOST}/24 dev br0",
        )
        made["client"].ip("addr add 10.6.0.2/24 dev eth0")
        made.serve("host", "tcp:80")
        yield made


@pytest.mark.parametrize("drops", [False, True], ids=["passes", "drops"])
def test_what_comes_up(bridged: Lab, *, drops: bool) -> None:
    """Certain without the program; with it the walk says that it did not look, whatever the program does."""
    assert predicted(bridged, "client", HOST, 80) == {happened(bridged, "client", HOST, 80)}
    with clsact(bridged["host"], "br0", drops=drops):
        seen = bridged.reach("client", HOST, 80, seconds=0.5 if drops else 5.0)["result"]
        (path,) = walk(bridged, "client", question(HOST, 80))

    assert seen == ("timeout" if drops else "reached")
    assert path.weight is None
    assert assumptions(path) == ["brprog br0: a tc program is not modelled"]


@pytest.mark.parametrize(
    ("settings", "address", "doubt"),
    [
        (("locked on",), HOST, "port: the bridge port's `locked on` is not modelled"),
        (("bcast_flood off",), HOST, ""),
        (("bcast_flood off",), "10.6.0.3", "other: the bridge port's `bcast_flood off` is not modelled"),
        (("bcast_flood on",), "10.6.0.3", ""),
    ],
)
def test_a_port_that_keeps_frames_away(
    bridged: Lab, settings: tuple[str, ...], address: str, doubt: str
) -> None:
    """Frames of link addresses that nobody entered, or other ports' questions who has an address."""
    bridged.add("neighbour")
    bridged.connect(("host", "other"), ("neighbour", "eth0"))
    bridged["host"].ip("link set other master br0")
    bridged["neighbour"].ip("addr add 10.6.0.3/24 dev eth0")
    bridged.serve("neighbour", "tcp:80")
    for port in ("port", "other"):
        for setting in settings:
            succeed([*bridged["host"].enter, "bridge", "link", "set", "dev", port, *setting.split()])
    succeed([*bridged["host"].enter, "bridge", "fdb", "flush", "dev", "br0", "nopermanent"])

    seen = bridged.reach("client", address, 80, seconds=1.0)["result"]
    (path,) = walk(bridged, "client", question(address, 80))

    assert (seen == "reached") == (not doubt)
    assert assumptions(path) == ([f"brprog {doubt}"] if doubt else [])

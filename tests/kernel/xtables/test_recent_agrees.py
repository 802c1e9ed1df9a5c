"""Session affinity as kube-proxy keeps it in iptables mode: what the kernel remembers, and for how long."""

import time
from collections.abc import Iterator

import pytest
from kernel.lab import Lab, happened, lab, predicted

pytestmark = pytest.mark.kernel

HOUR, BLINK = 80, 90
"""Ports of a Service whose clients are remembered for an hour, and of one for two seconds."""
REMEMBER = 70
RULES = """*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
-A PREROUTING -d {service} -p tcp -m tcp --dport 80 -m recent --name KUBE-SEP-A --rcheck --seconds 3600 --reap -j KUBE-SEP-A
-A PREROUTING -d {service} -p tcp -m tcp --dport 90 -m recent --name KUBE-SEP-A --rcheck --seconds 2 -j KUBE-SEP-A
-A PREROUTING -d {service} -p tcp -m tcp --dport 70 -j KUBE-SEP-A
-A PREROUTING -d {service} -p tcp -j KUBE-SEP-B
-A KUBE-SEP-A -p tcp -m recent --name KUBE-SEP-A --set -m tcp -j DNAT --to-destination {a}
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination {b}
COMMIT
"""
SERVICE = {4: "10.96.0.1", 6: "fd00:96::1"}
PLACES = {
    4: {"c": ("10.1.0.1", "10.1.0.2"), "a": ("10.2.0.1", "10.2.0.2"), "b": ("10.3.0.1", "10.3.0.2")},
    6: {"c": ("fd00:1::1", "fd00:1::2"), "a": ("fd00:2::1", "fd00:2::2"), "b": ("fd00:3::1", "fd00:3::2")},
}


@pytest.fixture(
    params=[("iptables-legacy-restore", 4), ("ip6tables-legacy-restore", 6), ("iptables-nft-restore", 4)],
    ids=["legacy", "legacy6", "nft"],
)
def sticky(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str, str]]:
    """A client, two servers, and rules between them: the lab, the Service's address, and the client's."""
    program, version = request.param
    with lab("recent") as made:
        made.add("n", "c", "a", "b")
        made["n"].sysctls({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
        length = 24 if version == 4 else 64
        extra = "" if version == 4 else " nodad"
        for name, (gateway, own) in PLACES[version].items():
            made.connect(("n", f"to-{name}"), (name, "eth0"))
            made["n"].ip(f"addr add {gateway}/{length} dev to-{name}{extra}")
            made[name].ip(f"addr add {own}/{length} dev eth0{extra}", f"route add default via {gateway}")
        ends = {
            name: f"{own}:8080" if version == 4 else f"[{own}]:8080"
            for name, (_, own) in PLACES[version].items()
        }
        made.load("n", program, RULES.format(service=SERVICE[version], a=ends["a"], b=ends["b"]))
        for name in ("a", "b"):
            made.serve(name, "tcp:8080")
        yield made, SERVICE[version], PLACES[version]["c"][1]


def until_forgotten(
    made: Lab, service: str, last: set[tuple[str, str, str]]
) -> list[set[tuple[str, str, str]]]:
    """What the walk says, again and again, until it says this."""
    deadline = time.monotonic() + 60
    said = [predicted(made, "c", service, BLINK)]
    while said[-1] != last:
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
        said.append(predicted(made, "c", service, BLINK))
    return said


def test_a_client_is_remembered_for_its_time(sticky: tuple[Lab, str, str]) -> None:
    """Unknown, fresh, perhaps about to be forgotten, forgotten: where the walk decides, the kernel agrees."""
    made, service, client = sticky
    a, b = ("reached", "a", client), ("reached", "b", client)

    assert predicted(made, "c", service, HOUR) == {b} == {happened(made, "c", service, HOUR)}
    assert happened(made, "c", service, REMEMBER) == a
    assert predicted(made, "c", service, HOUR) == {a} == {happened(made, "c", service, HOUR)}
    said = until_forgotten(made, service, {b})
    assert said == sorted(said, key=[{a}, {a, b}, {b}].index)
    assert happened(made, "c", service, BLINK) == b

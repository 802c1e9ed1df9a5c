"""IPVS: which servers real connections reach, how often, and which client the servers see."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from kernel.ipvs.bench import (
    NODE,
    NODE6,
    VIP,
    VIP6,
    Asked,
    Weights,
    bench,
    happened,
    masquerade,
    pod,
    predicted,
    serve_virtually,
)
from kernel.lab import Lab

from kubectl_packetpath.snapshot.state import NodeState

pytestmark = pytest.mark.vm

LETTERS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
ONE, TWO = f"-r {pod('one')}:8080 -m", f"-r {pod('two')}:8080 -m"
ONE6, TWO6 = f"-r [{pod('one', 6)}]:8080 -m", f"-r [{pod('two', 6)}]:8080 -m"
EVERYONE = ("client", "one", "node", "outside")
CYCLE = 8
"""Connections of one case: every scheduler's turns end within it."""


def rules() -> Iterator[str]:
    """The virtual servers, as `ipvsadm -Sn` prints them."""
    for letter in LETTERS.values():
        for address, one, two in ((VIP, ONE, TWO), (f"[{VIP6}]", ONE6, TWO6)):
            yield from _balanced(f"{letter} {address}:80", "rr", f"{one} -w 1", f"{two} -w 1")
    yield from _balanced(f"-t {VIP}:81", "wrr", f"{ONE} -w 3", f"{TWO} -w 1")
    yield from _balanced(f"-t {VIP}:82", "rr", f"{ONE} -w 0", f"{TWO} -w 1")
    yield from _balanced(f"-t {VIP}:83", "rr")
    yield from _balanced(f"-u {VIP}:83", "rr", f"{ONE} -w 0")
    yield from _balanced(f"-t [{VIP6}]:83", "rr")
    yield from _balanced(f"-t {VIP}:84", "rr", f"-r {NODE}:8080 -m -w 1")
    yield from _balanced(f"-t {VIP}:85", "rr", f"-r {pod('one')}:9999 -m -w 1")
    yield from _balanced(f"-t {VIP}:86", "rr", "-r 203.0.113.7:80 -m -w 1")
    yield from _balanced(f"-t {VIP}:87", "sh", f"{ONE} -w 1", f"{TWO} -w 1")
    yield from _balanced(f"-t {VIP}:88", "fo", f"{ONE} -w 1", f"{TWO} -w 2")
    yield from _balanced(f"-t {VIP}:89", "dh", f"{ONE} -w 1", f"{TWO} -w 1")
    yield from _balanced(f"-t {NODE}:30080", "rr", f"{ONE} -w 1", f"{TWO} -w 1")
    yield from _balanced(f"-t [{NODE6}]:30080", "rr", f"{ONE6} -w 1", f"{TWO6} -w 1")


def _balanced(service: str, scheduler: str, *servers: str) -> Iterator[str]:
    yield f"-A {service} -s {scheduler}"
    yield from (f"-a {service} {server}" for server in servers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Namespaces with servers, and their state as it was read once."""

    made: Lab
    node: NodeState

    def agree(self, asked: Asked) -> Weights:
        """A few real connections do what the walk says, each as often as it says."""
        said = predicted(self.made, asked, self.node)
        assert said == happened(self.made, asked, said, CYCLE)
        return said


@contextmanager
def staged(name: str, *, tracked: bool = True, bridged: str = "") -> Iterator[Stage]:
    """All virtual servers and kube-proxy's masquerade."""
    with bench(name, tracked=tracked, bridged=bridged) as made:
        serve_virtually(made, "\n".join(rules()) + "\n")
        masquerade(made)
        with made.node() as node:
            yield Stage(made=made, node=node)


@pytest.fixture(scope="module")
def tracked() -> Iterator[Stage]:
    """With net.ipv4.vs.conntrack=1, as kube-proxy has it; every pod behind a device of its own."""
    with staged("vs") as stage:
        yield stage


@pytest.fixture(scope="module", params=["plain", "hairpin"])
def bridged(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Likewise, with all pods behind one bridge, whose ports send nothing back to where it came from, or do."""
    with staged("vsb", bridged=request.param) as stage:
        yield stage


@pytest.fixture(scope="module")
def untracked() -> Iterator[Stage]:
    """With net.ipv4.vs.conntrack=0, the kernel's default: no rule can masquerade."""
    with staged("vsu", tracked=False) as stage:
        yield stage


@pytest.mark.parametrize("who", EVERYONE)
@pytest.mark.parametrize(
    ("target", "protocol"), [*((VIP, each) for each in LETTERS), (VIP6, "tcp"), (VIP6, "sctp")]
)
def test_round_robin(tracked: Stage, who: str, target: str, protocol: str) -> None:
    """Both servers in turn; a pod that reaches itself is masqueraded."""
    said = tracked.agree(Asked(who=who, target=target, port=80, protocol=protocol))

    assert {seen[1] for seen in said} == {"one", "two"}


@pytest.mark.parametrize(
    ("who", "port"),
    [
        *(("client", port) for port in (81, 82, 84, 85, 86, 87, 88, 89)),
        *(("outside", port) for port in (81, 86, 87)),
        *(("node", port) for port in (82, 84, 85, 86)),
        ("one", 84),
        ("one", 87),
    ],
)
def test_other_virtual_servers(tracked: Stage, who: str, port: int) -> None:
    """Weights, a quiesced server, a local one, one where nothing listens, one without a route, hashes, failover."""
    tracked.agree(Asked(who=who, target=VIP, port=port))


@pytest.mark.parametrize("who", ["client", "node", "outside"])
@pytest.mark.parametrize(("target", "protocol"), [(VIP, "tcp"), (VIP, "udp"), (VIP6, "tcp")])
def test_nobody_takes_it(tracked: Stage, who: str, target: str, protocol: str) -> None:
    """Without a server that takes new connections, the client is refused."""
    said = tracked.agree(Asked(who=who, target=target, port=83, protocol=protocol))

    assert set(said) == {("refused", "", "")}


@pytest.mark.parametrize("target", [NODE, NODE6, "127.0.0.1"])
@pytest.mark.parametrize("who", EVERYONE)
def test_node_port(tracked: Stage, who: str, target: str) -> None:
    """An address of the node's own as a virtual one; loopback is none."""
    tracked.agree(Asked(who=who, target=target, port=30080))


@pytest.mark.parametrize("protocol", LETTERS)
@pytest.mark.parametrize("target", [VIP, VIP6])
def test_hairpin_behind_a_bridge(bridged: Stage, target: str, protocol: str) -> None:
    """The answer to a pod that reaches itself stays in the bridge, which must send it back by the port it came in by."""
    bridged.agree(Asked(who="one", target=target, port=80, protocol=protocol))


@pytest.mark.parametrize("who", ["client", "node", "outside"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_without_conntrack(untracked: Stage, who: str, protocol: str) -> None:
    """Answers find back without it, and the servers see every client's own address."""
    untracked.agree(Asked(who=who, target=VIP, port=80, protocol=protocol))


def test_hairpin_without_conntrack(untracked: Stage) -> None:
    """Nothing masquerades a pod that reaches itself, so it drops its own address as a stranger's."""
    untracked.agree(Asked(who="one", target=VIP, port=80))

"""IPVS beyond a single new connection: pinned clients, marks, old connections, servers that are gone, rules that ask."""

import select
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest
from kernel.ipvs.bench import (
    VIP,
    Asked,
    Weights,
    bench,
    happened,
    masquerade,
    pod,
    predicted,
    serve_virtually,
)
from kernel.ipvs.traffic import within
from kernel.lab import Lab, question, walk

from kubectl_packetpath.snapshot.ipvs import IpvsConnection, decode_line
from kubectl_packetpath.trace import Verdict
from testbed.netns import succeed
from testbed.waiting import wait_until

pytestmark = pytest.mark.vm

ONE, TWO = f"-r {pod('one')}:8080 -m -w 1", f"-r {pod('two')}:8080 -m -w 1"
MARKED = "*mangle\n-A PREROUTING -d {} -p tcp --dport 91 -j MARK --set-mark 7\nCOMMIT\n"
REAL = "10.96.0.2"
"""The address of a virtual server that forwards by direct routing: the second pod has it, too."""


@pytest.fixture(scope="module")
def made() -> Iterator[Lab]:
    """Virtual servers of several kinds."""
    with bench("vss") as made:
        made["node"].ip(f"addr add {REAL}/32 dev kube-ipvs0")
        made["two"].ip(f"addr add {REAL}/32 dev lo")
        rules = [
            f"-A -t {VIP}:90 -s rr -p 300",
            *(f"-a -t {VIP}:90 {each}" for each in (ONE, TWO)),
            "-A -f 7 -s rr",
            f"-a -f 7 {ONE}",
            f"-A -u {VIP}:92 -s rr -o",
            f"-a -u {VIP}:92 {ONE}",
            f"-A -t {REAL}:8080 -s rr",
            f"-a -t {REAL}:8080 -r {pod('two')}:8080 -g -w 1",
            f"-A -t {VIP}:80 -s rr",
            f"-a -t {VIP}:80 {ONE}",
            f"-A -u {VIP}:81 -s rr",
            *(f"-a -u {VIP}:81 {each}" for each in (ONE, TWO)),
        ]
        serve_virtually(made, "\n".join(rules) + "\n")
        masquerade(made)
        made.load("node", "iptables-legacy-restore --noflush", MARKED.format(VIP))
        yield made


def agree(made: Lab, asked: Asked, count: int = 1) -> Weights:
    """Real connections do what the walk says."""
    said = predicted(made, asked)
    assert said == happened(made, asked, said, count)
    return said


def test_a_persistent_client_stays(made: Lab) -> None:
    """Before its first connection either server may be it; afterwards the one that it has."""
    asked = Asked(who="client", target=VIP, port=90)
    before = predicted(made, asked)
    first = happened(made, asked, before)

    assert {seen[1] for seen in before} == {"one", "two"}
    assert agree(made, asked, 5) == first


@pytest.mark.parametrize("who", ["client", "outside"])
def test_a_mark_chooses_the_virtual_server(made: Lab, who: str) -> None:
    """Only the exact mark does: one with kube-proxy's bit as well is another."""
    said = agree(made, Asked(who=who, target=VIP, port=91))

    assert {seen[0] for seen in said} == ({"reached"} if who == "client" else {"refused"})


def test_one_packet_scheduling_forgets(made: Lab) -> None:
    """Nobody translates the answer back, so the client does not take it."""
    said = agree(made, Asked(who="client", target=VIP, port=92, protocol="udp"))

    assert {seen[0] for seen in said} == {"timeout"}


@pytest.mark.parametrize("accept_local", [0, 1])
def test_direct_routing(made: Lab, accept_local: int) -> None:
    """The packet goes on as it is; the answer bears an address of the node's, which it takes only if told to."""
    made["node"].sysctls({"net/ipv4/conf/all/accept_local": accept_local})
    said = agree(made, Asked(who="client", target=REAL, port=8080))

    assert {seen[0] for seen in said} == ({"reached"} if accept_local else {"timeout"})


@pytest.mark.parametrize("expire", [0, 1])
def test_an_old_connection_when_its_server_is_removed(made: Lab, expire: int) -> None:
    """Later datagrams follow the first; without the server they are dropped, or the kernel forgets the connection."""
    made["node"].sysctls({"net/ipv4/vs/expire_nodest_conn": expire})
    port = 45000 + expire
    asked = replace(question(VIP, 81, "udp", port), sport_chosen=False)
    with within(made["client"]):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.settimeout(2)
        client.bind(("0.0.0.0", port))
        client.connect((VIP, 81))
        client.send(b"?")
        assert client.recv(2048)
        (known,) = entries(made, port)
        (old,) = walk(made, "client", asked, ask_table=True)
        assert (old.packet.destination, old.ending.verdict) == (known.server, Verdict.DELIVERED)

        server = f"{known.server}:8080"
        succeed([*made["node"].enter, "ipvsadm", "-d", "-u", f"{VIP}:81", "-r", server])
        if expire:
            wait_until("the kernel forgets the connection", lambda: not entries(made, port))
        said = {path.ending.verdict for path in walk(made, "client", asked, ask_table=True)}
        client.send(b"?")
        answered = bool(select.select([client], [], [], 1.0)[0])
        succeed([*made["node"].enter, "ipvsadm", "-a", "-u", f"{VIP}:81", "-r", server, "-m"])
    assert (said, answered) == ({Verdict.DELIVERED if expire else Verdict.DROPPED}, bool(expire))


def entries(made: Lab, port: int) -> list[IpvsConnection]:
    """What IPVS keeps for the client pod's port."""
    with made.node() as node:
        lines = node.host().ipvs_connections(ip_address(pod("client")))
    assert isinstance(lines, tuple)
    return [each for each in map(decode_line, lines) if each.client_port == port]


RULES = [
    "OUTPUT -m ipvs --ipvs",
    "OUTPUT -m ipvs ! --ipvs",
    f"OUTPUT -m ipvs --vaddr {VIP}/32",
    f"OUTPUT -m ipvs ! --vaddr {VIP}/32",
    "OUTPUT -m ipvs --vport 8080",
    "OUTPUT -m ipvs --vdir ORIGINAL",
    "OUTPUT -m ipvs --vdir REPLY",
    "OUTPUT -m ipvs ! --vmethod MASQ",
    "INPUT -p tcp -m ipvs --ipvs",
    "FORWARD -m ipvs --ipvs",
]


@pytest.mark.parametrize("rule", RULES)
def test_the_ipvs_match(made: Lab, rule: str) -> None:
    """A rule that asks for IPVS stops the packets that the walk says it stops."""
    made.load("node", "iptables-legacy-restore", f"*filter\n-A {rule} -j DROP\nCOMMIT\n")
    try:
        agree(made, Asked(who="client", target=VIP, port=80))
    finally:
        made.load("node", "iptables-legacy-restore", "*filter\nCOMMIT\n")

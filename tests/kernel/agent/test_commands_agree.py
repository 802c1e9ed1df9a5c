"""The two commands by hand, on a node without Kubernetes: what they say of a packet is what becomes of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kernel.lab import Lab, lab

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[3]
AGENT, CLIENT = ([str(Path(sys.executable).with_name(n))] for n in ("packetpath-agent", "kubectl-packetpath"))
SERVICE = {4: "10.96.0.1", 6: "fd00:96::1"}
NODE = {4: "10.1.0.1", 6: "fd00:1::1"}
CALLER = {4: "10.1.0.2", 6: "fd00:1::2"}
SERVER = {4: "10.2.0.2", 6: "fd00:2::2"}
GATEWAY = {4: "10.2.0.1", 6: "fd00:2::1"}
LISTENING = {8080, 8081, 8082}
"""On the server behind the node; on the node itself 9000 and 9001."""
CASES = [(SERVICE, 80), (SERVICE, 81), (SERVICE, 82), (SERVER, 8083), (NODE, 9000), (NODE, 9001)]
"""Translated and accepted, dropped, rejected; nothing listens there. On the node itself accepted and dropped."""


def iptables(version: int) -> str:
    """For either back end of iptables."""
    server = SERVER[4] if version == 4 else f"[{SERVER[6]}]"
    nat = "".join(
        f"-A PREROUTING -d {SERVICE[version]} -p {protocol} -m {protocol} --dport {port}"
        f" -j DNAT --to-destination {server}:{port + 8000}\n"
        for protocol in ("tcp", "udp")
        for port in (80, 81, 82)
    )
    filters = "".join(
        f"-A {chain} -p {protocol} -m {protocol} --dport {port} -j {target}\n"
        for protocol in ("tcp", "udp")
        for chain, port, target in (
            ("FORWARD", 8080, "ACCEPT"),
            ("FORWARD", 8082, "REJECT"),
            ("FORWARD", 8083, "ACCEPT"),
            ("INPUT", 9000, "ACCEPT"),
            ("INPUT", 9001, "DROP"),
        )
    )
    back = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    return (
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        f"{nat}COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{back}{filters}COMMIT\n"
    )


NFT = f"""table inet t {{
  map to {{ type inet_service : inet_service; elements = {{ 80 : 8080, 81 : 8081, 82 : 8082 }} }}
  set on {{ type inet_service; elements = {{ 8080, 8083 }} }}
  chain nat {{
    type nat hook prerouting priority dstnat;
    ip daddr {SERVICE[4]} meta l4proto {{ tcp, udp }} dnat ip to {SERVER[4]} : th dport map @to
    ip6 daddr {SERVICE[6]} meta l4proto {{ tcp, udp }} dnat ip6 to {SERVER[6]} : th dport map @to
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state related,established accept
    meta l4proto {{ tcp, udp }} th dport @on counter accept
    meta l4proto {{ tcp, udp }} th dport 8082 reject
  }}
  chain input {{
    type filter hook input priority filter;
    meta l4proto {{ tcp, udp }} th dport vmap {{ 9000 : accept, 9001 : goto no }}
  }}
  chain no {{ drop; }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A node with a client and a server beside it, and its recording."""

    lab: Lab
    bundle: Path


@pytest.fixture(scope="module", params=["legacy", "nft", "native"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Rules by one of the three programs; the agent's command writes the file."""
    with lab("commands") as made:
        made.add("node", "client", "server")
        made["node"].sysctls({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
        made.connect(("node", "to-client"), ("client", "eth0"))
        made.connect(("node", "to-server"), ("server", "eth0"))
        for version, length, extra in ((4, 24, ""), (6, 64, " nodad")):
            for name, gateway, own in (
                ("client", NODE[version], CALLER[version]),
                ("server", GATEWAY[version], SERVER[version]),
            ):
                made["node"].ip(f"addr add {gateway}/{length} dev to-{name}{extra}")
                made[name].ip(f"addr add {own}/{length} dev eth0{extra}", f"route add default via {gateway}")
        if request.param == "native":
            made.load("node", "nft -f -", NFT)
        else:
            made.load("node", f"iptables-{request.param}-restore", iptables(4))
            made.load("node", f"ip6tables-{request.param}-restore", iptables(6))
        made.serve("server", *(f"{kind}:{port}" for kind in ("tcp", "udp") for port in LISTENING))
        made.serve("node", *(f"{kind}:{port}" for kind in ("tcp", "udp") for port in (9000, 9001)))
        for version in (4, 6):
            made.reach("node", SERVER[version], 8083)
        bundle = tmp_path_factory.mktemp("bundle") / "node"
        snapshot = [*AGENT, "snapshot", "--this-namespace", "--node", "n1", "--output", str(bundle)]
        subprocess.run([*made["node"].enter, *snapshot], check=True, env=ENVIRONMENT)
        yield Recorded(lab=made, bundle=bundle)


ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'agent'}"}


def told(bundle: Path, *packet: str) -> tuple[int, dict[str, Any]]:
    """The client's exit code and its answer."""
    command = [*CLIENT, "packet", "--bundle", str(bundle), "--node", "n1", *packet, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.stderr == ""
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer


def expected(path: dict[str, Any], version: int) -> tuple[str, str]:
    """What a client sees, and who answers, when the packet ends so."""
    verdict = path["verdict"]
    if verdict == "SENT":
        assert path["egress"] == "to-server"
        assert path["packet"]["destination"] == SERVER[version]
        return ("reached", "server") if path["packet"]["dport"] in LISTENING else ("refused", "")
    return {
        "DELIVERED": ("reached", "node"),
        "REFUSED": ("refused", ""),
        "REJECTED": ("refused", ""),
        "DROPPED": ("timeout", ""),
    }[verdict]


Case = tuple[dict[int, str], int]


def foretold(bundle: Path, case: Case, version: int, protocol: str) -> tuple[int, str, str]:
    """What the client says becomes of a packet."""
    packet = f"--in to-client --src {CALLER[version]} --dst {case[0][version]} --protocol {protocol} --dport {case[1]}"
    code, answer = told(bundle, *packet.split())
    (path,) = answer["paths"]
    assert code == (0 if path["verdict"] in {"SENT", "DELIVERED"} else 1)
    return case[1], *expected(path, version)


def met(made: Lab, case: Case, version: int, protocol: str) -> tuple[int, str, str]:
    """What becomes of a real one; a TCP client heeds an ICMPv6 error only after its second try, a second later."""
    happened = made.reach("client", case[0][version], case[1], protocol, seconds=4)
    return case[1], happened["result"], happened.get("name", "")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_goes_where_the_client_says(recorded: Recorded, version: int, protocol: str) -> None:
    """Translated, accepted, dropped, rejected, refused: through the node and to the node itself."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        waiting = pool.map(lambda case: met(recorded.lab, case, version, protocol), CASES)
        said = [foretold(recorded.bundle, case, version, protocol) for case in CASES]
        seen = list(waiting)

    assert said == seen
    assert {result for _, result, _ in seen} == {"reached", "refused", "timeout"}

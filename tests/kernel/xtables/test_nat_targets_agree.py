"""Targets that translate: what leaves the router is one of the outcomes, and the only one where there is one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from kernel.xtables.packets import udp
from kernel.xtables.wire import CLIENT4, MACS, ROUTER, SERVER, SERVER4, load, predicted, send, wires

from kubectl_packetpath.walk.here import Hook

pytestmark = pytest.mark.kernel

LISTEN = """
import json, socket
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as wire:
    wire.bind(("s0", 0x0800))
    wire.settimeout(5)
    print("ready", flush=True)
    while True:
        data = wire.recv(2048)
        if data[9] == 17:
            break
    ends = [socket.inet_ntoa(data[at : at + 4]) for at in (12, 16)]
    print(json.dumps([*ends, *(int.from_bytes(data[at : at + 2], "big") for at in (20, 22))]))
"""
RULES = {
    "-A PREROUTING -p udp -j DNAT --to-destination 10.77.2.9": 1,
    "-A PREROUTING -p udp -j DNAT --to-destination 10.77.2.9:8080": 1,
    "-A PREROUTING -p udp -j DNAT --to-destination :8081": 1,
    "-A PREROUTING -p udp -j DNAT --to-destination 10.77.2.9-10.77.2.11": 3,
    "-A PREROUTING -p udp --dport 1000:2000 -j DNAT --to-destination 10.77.2.9:3000-4000/1000": 1,
    "-A PREROUTING -p udp -d 10.77.2.0/24 -j NETMAP --to 10.77.2.8/30": 1,
    "-A PREROUTING -p tcp -j DNAT --to-destination 10.77.2.9": 1,
    "-A POSTROUTING -p udp -j SNAT --to-source 10.77.2.50": 1,
    "-A POSTROUTING -p udp -j SNAT --to-source 10.77.2.50:5000": 1,
    "-A POSTROUTING -p udp -j MASQUERADE": 1,
    "-A POSTROUTING -p udp -j MASQUERADE --to-ports 5001": 1,
    "-A POSTROUTING -s 10.77.1.0/24 -j NETMAP --to 10.78.1.0/24": 1,
}


@pytest.fixture(scope="module", autouse=True)
def _router() -> Iterator[None]:
    with wires():
        for last in range(8, 12):
            ROUTER.ip(f"neigh replace 10.77.2.{last} lladdr {MACS['s0']} dev r1 nud permanent")
        yield


@pytest.mark.parametrize(("rule", "ways"), RULES.items())
def test_a_translated_packet_leaves_as_is_said(rule: str, ways: int) -> None:
    """Addresses and ports, both ends."""
    load(4, f"*nat\n{rule}\nCOMMIT\n")
    sent = udp(42000 + list(RULES).index(rule), 1234, (CLIENT4, SERVER4))
    hook = Hook.PREROUTING if "PREROUTING" in rule else Hook.POSTROUTING
    outcomes = predicted(sent, "nat", hook)

    with subprocess.Popen(
        [*SERVER.enter, sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        send(sent)
        source, destination, sport, dport = json.loads(listener.stdout.readline())

    assert len(outcomes) == ways
    assert sum(outcome.weight or 0 for outcome in outcomes) == 1
    assert (ip_address(source), ip_address(destination), sport, dport) in {
        (each.packet.source, each.packet.destination, each.packet.sport, each.packet.dport)
        for each in outcomes
    }

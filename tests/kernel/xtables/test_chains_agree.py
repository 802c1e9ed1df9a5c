"""Jumps, gotos, returns, policies and targets do what the kernel does: rule counters, mark, answer and arrival."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from kernel.xtables.packets import tcp, udp
from kernel.xtables.wire import (
    CLIENT4,
    DEADLINE_SECONDS,
    SERVER,
    SERVER4,
    Sent,
    counted,
    facts_of,
    load,
    predicted,
    send,
    wires,
    zero,
)

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Verdict
from kubectl_packetpath.walk.here import Hook

pytestmark = pytest.mark.kernel

LISTEN = """
import json, socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as wire:
    wire.bind(("s0", 0x0800))
    wire.settimeout(float(sys.argv[2]))
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        while True:
            data = wire.recv(2048)
            ports = int.from_bytes(data[20:22], "big")
            if ports == int(sys.argv[1]):
                print(json.dumps({"tos": data[1], "ttl": data[8]}))
                break
    except TimeoutError:
        print("null")
"""
EFFECTLESS = " -j MARK --set-xmark 0x0/0x0"


@dataclass(frozen=True, slots=True)
class Case:
    """Rules of `filter` or `mangle` at FORWARD, and what they are about."""

    name: str
    rules: str
    table: str = "filter"

    @property
    def program(self) -> str:
        """For iptables-restore; the first rule counts everything."""
        policy = "DROP" if "policy" in self.name else "ACCEPT"
        return f"*{self.table}\n:FORWARD {policy} [0:0]\n{self.told}COMMIT\n"

    @property
    def told(self) -> str:
        """Where marks may be set, a rule without target gets one that changes nothing, so that it leaves a step."""
        if self.table != "mangle":
            return self.rules
        lines = self.rules.splitlines()
        return "".join(f"{line}{EFFECTLESS * (' -j ' not in line)}\n" for line in lines)


CASES = (
    Case("an accept ends the chain", "-A FORWARD\n-A FORWARD -p udp -j ACCEPT\n-A FORWARD -j DROP\n"),
    Case("a drop ends the packet", "-A FORWARD\n-A FORWARD -p tcp -j DROP\n-A FORWARD -j ACCEPT\n"),
    Case("the policy drops", "-A FORWARD\n-A FORWARD -p tcp -j ACCEPT\n"),
    Case(
        "a chain that ends returns to its caller",
        ":A - [0:0]\n:B - [0:0]\n-A FORWARD\n-A FORWARD -j A\n-A FORWARD -p udp -j DROP\n"
        "-A A -j B\n-A A -p tcp\n-A B -p udp\n",
    ),
    Case(
        "a return skips the rest of its chain",
        ":A - [0:0]\n-A FORWARD\n-A FORWARD -j A\n-A FORWARD -p tcp -j DROP\n-A A -p udp -j RETURN\n-A A -p tcp\n-A A -j DROP\n",
    ),
    Case(
        "a goto leaves no way back",
        ":A - [0:0]\n:B - [0:0]\n-A FORWARD\n-A FORWARD -j A\n-A FORWARD -p udp -j ACCEPT\n-A FORWARD -j DROP\n"
        "-A A -g B\n-A A -j DROP\n-A B -p tcp -j RETURN\n",
    ),
    Case(
        "a goto from a built-in chain ends in the policy, which drops",
        ":B - [0:0]\n-A FORWARD\n-A FORWARD -p udp -g B\n-A FORWARD -j ACCEPT\n-A B -p tcp -j ACCEPT\n",
    ),
    Case(
        "a return in a built-in chain asks the policy, which drops",
        "-A FORWARD\n-A FORWARD -p tcp -j RETURN\n-A FORWARD -j ACCEPT\n",
    ),
    Case(
        "marks are set, cleared and seen by later rules",
        "-A FORWARD\n-A FORWARD -j MARK --set-xmark 0x4000/0x4000\n-A FORWARD -m mark --mark 0x4000/0x4000 -p tcp\n"
        "-A FORWARD -p udp -j MARK --set-xmark 0x4000/0x0\n-A FORWARD -m mark ! --mark 0x4000/0x4000 -j DROP\n",
        "mangle",
    ),
    Case(
        "marks travel between packet and connection",
        "-A FORWARD\n-A FORWARD -j MARK --set-xmark 0xf0/0xff\n-A FORWARD -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0xff\n"
        "-A FORWARD -m connmark --mark 0xf0/0xff -j MARK --set-xmark 0x0/0xffffffff\n"
        "-A FORWARD -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0x30\n"
        "-A FORWARD -m mark --mark 0x30 -p udp -j DROP\n"
        "-A FORWARD -j CONNMARK --set-xmark 0x1/0xf\n-A FORWARD -m connmark --mark 0xf1\n",
        "mangle",
    ),
    Case(
        "header fields are changed and seen by later rules",
        "-A FORWARD\n-A FORWARD -j DSCP --set-dscp 0x2e\n-A FORWARD -m dscp --dscp 0x2e\n"
        "-A FORWARD -p udp -j TOS --set-tos 0x10/0xff\n-A FORWARD -m tos --tos 0x10/0xff\n"
        "-A FORWARD -j TTL --ttl-set 9\n-A FORWARD -m ttl --ttl-eq 9\n-A FORWARD -j TTL --ttl-inc 3\n"
        "-A FORWARD -j TTL --ttl-dec 1\n-A FORWARD -m ttl --ttl-eq 11\n",
        "mangle",
    ),
    Case(
        "targets that only look on change nothing",
        "-A FORWARD\n-A FORWARD -j LOG --log-prefix x\n-A FORWARD -j NFLOG --nflog-group 7\n"
        "-A FORWARD -j CLASSIFY --set-class 1:a\n-A FORWARD -p udp -j CHECKSUM --checksum-fill\n"
        "-A FORWARD -p tcp --syn -j TCPMSS --set-mss 900\n-A FORWARD -p tcp -j ECN --ecn-tcp-remove\n"
        "-A FORWARD -p tcp -j TCPOPTSTRIP --strip-options timestamp\n-A FORWARD -p udp\n",
        "mangle",
    ),
    Case(
        "a reject answers",
        "-A FORWARD\n-A FORWARD -p udp -j REJECT\n-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n",
    ),
)
PACKETS = {
    "tcp": tcp("S", 41001, 80, (CLIENT4, SERVER4)),
    "udp": udp(41002, 53, (CLIENT4, SERVER4)),
}


@pytest.fixture(autouse=True, scope="module")
def _wires() -> Iterator[None]:
    with wires():
        yield


def _arrival(
    sent: Sent, sentinel: str, table: str, *, seconds: float
) -> tuple[set[str], dict[str, int] | None]:
    """The rules that counted it, and what comes out at the server within so much time after that."""
    zero(4, table)
    command = [*SERVER.enter, sys.executable, "-c", LISTEN, str(sent.packet.sport), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdin is not None
        assert listener.stdout.readline() == "ready\n"
        send(sent)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (counts := counted(4, table))[sentinel]:
            assert time.monotonic() < deadline, f"{sent.name} did not arrive"
        listener.stdin.write("counted\n")
        listener.stdin.flush()
        seen = json.loads(listener.stdout.readline())
    return {rule for rule, packets in counts.items() if packets}, seen


@pytest.mark.parametrize("protocol", PACKETS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_table_does_to_a_packet_what_is_said(case: Case, protocol: str) -> None:
    """The same rules meet it, and it comes out, changed alike, or does not."""
    other = "*mangle\nCOMMIT\n" if case.table == "filter" else "*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"
    load(4, case.program)
    load(4, other)
    sent = PACKETS[protocol]
    arrived = Sent(name=sent.name, data=sent.data, packet=_forwarded(sent))
    (outcome,) = predicted(arrived, case.table, Hook.FORWARD)

    seconds = DEADLINE_SECONDS if outcome.ending is None else 0.3
    rules, seen = _arrival(sent, "FORWARD/1", case.table, seconds=seconds)

    assert facts_of(outcome) == rules - _silent(case)
    if outcome.ending is None:
        assert seen == {"tos": outcome.packet.tos, "ttl": outcome.packet.ttl}
    else:
        assert outcome.ending.verdict in {Verdict.DROPPED, Verdict.REJECTED}
        assert seen is None


def _forwarded(sent: Sent) -> Packet:
    """One hop later."""
    return replace(sent.packet, ttl=sent.packet.ttl - 1)


def _silent(case: Case) -> set[str]:
    """Rules without a target leave no step."""
    numbers: dict[str, int] = {}
    silent = set()
    for line in case.told.splitlines():
        if line.startswith("-A"):
            chain = line.split()[1]
            numbers[chain] = numbers.get(chain, 0) + 1
            if " -j " not in line and " -g " not in line:
                silent.add(f"{chain}/{numbers[chain]}")
    return silent

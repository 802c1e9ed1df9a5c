"""The REJECT target: the packet is dropped and its sender told.

kube-proxy answers so for Services without endpoints.

Kernel: net/ipv4/netfilter/ipt_REJECT.c, net/ipv6/netfilter/ip6t_REJECT.c
"""

import struct

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.trace import Ending, Fact, History, StepKind, Verdict
from kubectl_packetpath.walk.here import Here, Outcomes, ended, go_on
from kubectl_packetpath.walk.xtables.extension import Extension, Target

WAYS4 = (
    "icmp-net-unreachable",
    "icmp-host-unreachable",
    "icmp-proto-unreachable",
    "icmp-port-unreachable",
    "echo-reply",
    "icmp-net-prohibited",
    "icmp-host-prohibited",
    "tcp-reset",
    "icmp-admin-prohibited",
)
WAYS6 = (
    "icmp6-no-route",
    "icmp6-adm-prohibited",
    "icmp6-not-neighbour",
    "icmp6-addr-unreachable",
    "icmp6-port-unreachable",
    "echo-reply",
    "tcp-reset",
    "icmp6-policy-fail",
    "icmp6-reject-route",
)


def unpack(extension: Extension, family: int) -> str:
    """The kind of answer."""
    (number,) = struct.unpack_from("<I", extension.data)
    return (WAYS4 if family == 4 else WAYS6)[number]


def run(
    spec: str, here: Here, packet: Packet, history: History | None, because: tuple[Fact, ...]
) -> Outcomes:
    """The packet ends here."""
    del here
    ending = Ending(verdict=Verdict.REJECTED, reason=f"rejected by a rule, with {spec}")
    yield ended(go_on(packet, history), ending, kind=StepKind.REJECTED, because=because)


def words(spec: str) -> str:
    """`--reject-with icmp-port-unreachable`."""
    return f"--reject-with {spec}"


TARGET = Target(name="REJECT", unpack=unpack, run=run, words=words)

"""A node with many Services: a network namespace, two devices, a route to the endpoints, and the rules."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench import rules

CLIENT_ADDRESS = "192.0.2.10"
SETUP = """link set lo up
link add in0 type veth peer name in1
link set in0 up
link set in1 up
addr add 192.0.2.1/24 dev in0
link add out0 type veth peer name out1
link set out0 up
link set out1 up
addr add 198.51.100.1/24 dev out0
route add 10.128.0.0/9 via 198.51.100.2 dev out0
neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev out0 nud permanent
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackEnd:
    """One way to keep a cluster's rules in the kernel."""

    name: str
    load: Sequence[str]
    witness: Sequence[str]
    """The system's own tool that prints all of them."""

    def text(self, services: int) -> str:
        """The rules of so many Services."""
        return rules.nftables(services) if self.name == "nftables" else rules.iptables(services)


BACK_ENDS = (
    BackEnd(name="legacy", load=["iptables-legacy-restore"], witness=["iptables-legacy-save", "-c"]),
    BackEnd(name="iptables-nft", load=["iptables-nft-restore"], witness=["iptables-nft-save", "-c"]),
    BackEnd(name="nftables", load=["nft", "-f", "-"], witness=["nft", "-j", "list", "ruleset"]),
)


@contextmanager
def loaded(back_end: BackEnd, services: int) -> Iterator[list[str]]:
    """What to put before a command so that it runs there."""
    name = f"ppbench-{back_end.name}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "-batch", "-"], input=SETUP.encode(), check=True)
        enter = ["nsenter", f"--net=/run/netns/{name}"]
        subprocess.run([*enter, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
        subprocess.run([*enter, *back_end.load], input=back_end.text(services).encode(), check=True)
        yield enter
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def packet_to(service: int) -> list[str]:
    """The packet of a client to one Service, in the words of both commands."""
    return [
        "--in", "in0", "--src", CLIENT_ADDRESS, "--sport", "40000",
        "--dst", rules.cluster_ip(service), "--protocol", "tcp", "--dport", "80",
    ]  # fmt: skip

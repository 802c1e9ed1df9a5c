"""`make bench`: what an answer costs on a node with 10,000 Services, beside the system's own tools.

Read the ratios: the machine's speed cancels out, since both sides run one after the other in one run.
Needs root and Linux; everything happens in network namespaces that it makes and removes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import rules

PYTHON = sys.executable
AGENT = [PYTHON, "-m", "packetpath_agent"]
CLIENT = [PYTHON, "-m", "kubectl_packetpath"]
CLIENT_ADDRESS = "192.0.2.10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took."""

    seconds: float
    peak_mb: float
    output_bytes: int


def measure(command: list[str], *, into: Path | None = None, stdin: bytes | None = None) -> Cost:
    """Run a command to its end; best of three by time."""
    return min((_once(command, into, stdin) for _ in range(3)), key=lambda cost: cost.seconds)


def _once(command: list[str], into: Path | None, stdin: bytes | None) -> Cost:
    with tempfile.TemporaryFile() as given, tempfile.NamedTemporaryFile() as out:
        given.write(stdin or b"")
        given.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in {0, 1, 3}:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        size = Path(out.name).stat().st_size
        if into is not None:
            into.write_bytes(Path(out.name).read_bytes())
        return Cost(seconds=took, peak_mb=usage.ru_maxrss / 1024, output_bytes=size)


@contextmanager
def loaded(name: str, command: list[str], text: str) -> Iterator[str]:
    """A namespace with two devices, a route to the endpoints and these rules."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for line in (
            "link set lo up",
            "link add in0 type veth peer name in1",
            "link set in0 up",
            "link set in1 up",
            "addr add 192.0.2.1/24 dev in0",
            "link add out0 type veth peer name out1",
            "link set out0 up",
            "link set out1 up",
            "addr add 198.51.100.1/24 dev out0",
            "route add 10.128.0.0/9 via 198.51.100.2 dev out0",
        ):
            subprocess.run(["ip", "-n", name, *line.split()], check=True)
        enter = ["ip", "netns", "exec", name]
        subprocess.run([*enter, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
        subprocess.run([*enter, *command], input=text.encode(), check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def packet_to(service: int) -> list[str]:
    """Options of the `packet` command for a client of one Service."""
    return [
        "--node", "bench", "--in", "in0", "--src", CLIENT_ADDRESS, "--sport", "40000",
        "--dst", rules.cluster_ip(service), "--protocol", "tcp", "--dport", "80", "-o", "json",
    ]  # fmt: skip


def report(title: str, cost: Cost, *, against: Cost | None = None) -> None:
    """One line of the table."""
    ratio = f"{cost.seconds / against.seconds:7.2f} x" if against else " " * 9
    print(
        f"  {title:<44}{cost.seconds:8.2f} s{ratio}{cost.peak_mb:8.0f} MB{cost.output_bytes / 1e6:9.2f} MB out"
    )


def bench(name: str, load: list[str], text: str, witness: list[str], services: int) -> None:
    """All figures of one back end."""
    print(f"{name}: {services} Services")
    with loaded(f"ppbench-{name}", load, text) as namespace, tempfile.TemporaryDirectory() as folder:
        enter = ["ip", "netns", "exec", namespace]
        bundle = Path(folder) / "node"
        tool = measure([*enter, *witness])
        report(" ".join(witness), tool)
        report("packetpath-agent snapshot (everything)", measure(
            [*enter, *AGENT, "snapshot", "--node", "bench"], into=bundle), against=tool)  # fmt: skip
        for which in (0, services - 1):
            answer = measure([*CLIENT, "packet", "--bundle", str(bundle), *packet_to(which)])
            report(f"client: bytes to printed path, Service {which}", answer, against=tool)
            asked = measure(
                [*enter, *AGENT, "ask", "--node", "bench", "--in", "in0", *packet_to(which)[4:-2]],
            )
            report(f"agent: only what Service {which} touches", asked, against=tool)


def main() -> None:
    """Run the back ends asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("backends", nargs="*", default=["legacy", "iptables-nft", "nftables"])
    given = parser.parse_args()
    if os.geteuid() != 0 or sys.platform != "linux":
        raise SystemExit("make bench needs root on Linux: it makes network namespaces of its own")
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    iptables, nft = rules.iptables(given.services), rules.nftables(given.services)
    if "legacy" in given.backends:
        bench("legacy", ["iptables-legacy-restore"], iptables, ["iptables-legacy-save", "-c"], given.services)
    if "iptables-nft" in given.backends:
        bench("iptables-nft", ["iptables-nft-restore"], iptables, ["iptables-nft-save", "-c"], given.services)
    if "nftables" in given.backends:
        bench("nftables", ["nft", "-f", "-"], nft, ["nft", "-j", "list", "ruleset"], given.services)


if __name__ == "__main__":
    main()

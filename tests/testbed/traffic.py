"""Real connections between places of a cluster, and what became of each.

The server is `agnhost netexec` in a pod: it tells its name and the client address that it saw. Where one runs a
server that is not agnhost, a connection that opens is reached, but nobody says by whom.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from testbed.addresses import Address
from testbed.control import Place, Pod
from testbed.waiting import PATIENCE

TESTS = Path(__file__).parents[1]
Protocol = Literal["tcp", "udp", "sctp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A server answered."""

    pod: str | None
    """Which pod: its host name, None when the server is not agnhost."""
    client_address: Address | None
    """The client, as that server sees it."""
    client_port: int | None = None
    local_port: int | None = None
    """The port that the client really used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """An ICMP error, and who sent it."""

    by: Address
    type: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Somebody said no: a reset, or an ICMP port unreachable."""

    icmp: Icmp | None = None
    """None for a reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """There is no way, or it is forbidden: the client's own kernel, or a router's ICMP error, said so."""

    error: str
    icmp: Icmp | None = None
    """None when the client's own kernel knew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """Nobody said anything."""


Result = Reached | Refused | Unreachable | TimedOut


def attempt(
    source: Place,
    address: Address | str,
    port: int,
    protocol: Protocol = "tcp",
    *,
    count: int = 1,
    timeout_seconds: float = 2,
    source_port: int | None = None,
) -> tuple[Result, ...]:
    """Open this many fresh connections from a place; how each ended."""
    timeout_seconds *= PATIENCE
    request = {
        "address": str(address),
        "port": port,
        "protocol": protocol,
        "count": count,
        "timeout_seconds": timeout_seconds,
        "source_port": source_port,
    }
    done = subprocess.run(
        [*source.network_prefix, *_python("connect")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds * (count / 16 + 2) + 10 * PATIENCE,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Connecting from {source.title} failed: {done.stderr}")
    return tuple(_typed(each) for each in json.loads(done.stdout))


def connect(
    source: Place,
    address: Address | str,
    port: int,
    protocol: Protocol = "tcp",
    *,
    timeout_seconds: float = 2,
) -> Result:
    """Open one connection from a place; how it ended."""
    return attempt(source, address, port, protocol, timeout_seconds=timeout_seconds)[0]


def pods_reached(results: tuple[Result, ...]) -> Counter[str]:
    """How often each pod was reached."""
    return Counter(each.pod for each in results if isinstance(each, Reached) and each.pod is not None)


@contextmanager
def sctp_server(pod: Pod, port: int) -> Iterator[None]:
    """An SCTP server in a pod's network namespace; it answers with the pod's name and the client that it saw."""
    command = [*pod.network_prefix, *_python("sctp_server"), str(port), pod.name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdout is None or server.stdin is None or server.stdout.readline() != "ready\n":
            raise RuntimeError(f"The SCTP server in {pod.title} did not start.")
        try:
            yield
        finally:
            server.stdin.close()


def _python(module: str) -> list[str]:
    return ["env", f"PYTHONPATH={TESTS}", sys.executable, "-s", "-S", "-m", f"testbed.probes.{module}"]


def _typed(told: Mapping[str, Any]) -> Result:
    icmp = (
        Icmp(by=ip_address(told["by"]), type=told["icmp"][0], code=told["icmp"][1]) if "by" in told else None
    )
    match told["kind"]:
        case "reached":
            return Reached(
                pod=told.get("pod"),
                client_address=ip_address(told["client"]) if "client" in told else None,
                client_port=told.get("client_port"),
                local_port=told["local"][1],
            )
        case "refused":
            return Refused(icmp=icmp)
        case "unreachable":
            return Unreachable(error=told["error"], icmp=icmp)
        case _:
            return TimedOut()

"""What the tool predicts on a cluster, and whether 200 real connections agree."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.control import Place
from testbed.traffic import Protocol, Reached, Refused, TimedOut, Unreachable, attempt

PROGRAM = Path(sys.executable).with_name("kubectl-packetpath")
CONNECTIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One run of the program."""

    code: int
    out: str
    err: str

    @property
    def ways(self) -> list[dict[str, Any]]:
        """The ways in that it tells of, each with its paths."""
        told: dict[str, Any] = json.loads(self.out)
        return list(told["ways"]) if "ways" in told else [told]

    @property
    def paths(self) -> list[dict[str, Any]]:
        """All paths of all ways."""
        return [path for way in self.ways for path in way["paths"]]

    @property
    def found(self) -> set[str]:
        """The ids of all that was found."""
        return {each["id"] for way in self.ways for each in way["findings"]}


def run_program(*words: str, expect: int | None = 0) -> Said:
    """Run the program as a user would."""
    command = [str(PROGRAM), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
    assert expect is None or said.code == expect, f"exit code {said.code}\n{said.err}\n{said.out[-4000:]}"
    return said


def packetpath(cluster: Cluster, *words: str, expect: int | None = None) -> Said:
    """Ask about a path on a cluster, for programs to read."""
    return run_program(*words, "--kubeconfig", str(cluster.kubeconfig), "-o", "json", expect=expect)


def predicted(paths: Sequence[dict[str, Any]]) -> dict[tuple[str, ...], float | None]:
    """End of each path as (verdict, address where it ends, client address seen) with its share."""
    ends: dict[tuple[str, ...], float | None] = {}
    for path in paths:
        if path["verdict"] == "DELIVERED" and (path["reply"] or {}).get("verdict") in {
            "DELIVERED",
            "LEFT_CLUSTER",
        }:
            key: tuple[str, ...] = ("reached", path["packet"]["destination"], path["packet"]["source"])
        elif path["verdict"] in {"REFUSED", "REJECTED", "NO_BACKEND", "NO_ROUTE"} and not _silent(path):
            key = ("refused",)
        elif path["verdict"] == "UNKNOWN":
            key = ("unknown",)
        else:
            key = ("lost",)
        weight = path["weight"]
        before = ends.get(key, 0.0)
        ends[key] = None if weight is None or before is None else before + weight
    return ends


def _silent(path: dict[str, Any]) -> bool:
    """Whether nobody tells the sender: a Service without a backend may be dropped as well as rejected."""
    return bool(path["hops"][-1]["steps"][-1]["kind"] == "dropped")


def observed(
    cluster: Cluster, source: Place, address: str, port: int, protocol: Protocol = "tcp"
) -> Counter[tuple[str, ...]]:
    """The same ends, as real connections met them."""
    results = attempt(source, address, port, protocol, count=CONNECTIONS, timeout_seconds=2)
    return Counter(_ends(cluster, results))


def _ends(
    cluster: Cluster, results: Sequence[Reached | Refused | Unreachable | TimedOut]
) -> Iterator[tuple[str, ...]]:
    addresses: dict[str, list[str]] = {}
    for result in results:
        match result:
            case Reached(pod=pod, client_address=client) if pod is not None:
                if pod not in addresses:
                    addresses[pod] = _addresses(cluster, pod)
                version = client.version if client else 4
                own = next(a for a in addresses[pod] if (":" in a) == (version == 6))
                yield ("reached", own, str(client))
            case Refused() | Unreachable():
                yield ("refused",)
            case _:
                yield ("lost",)


def _addresses(cluster: Cluster, name: str) -> list[str]:
    """A server tells no namespace, so the servers of all tests on one cluster have different names."""
    (pod,) = (each for each in cluster.kube.list("Pod") if each["metadata"]["name"] == name)
    return [each["ip"] for each in pod["status"]["podIPs"]]


def assert_agreement(expected: dict[tuple[str, ...], float | None], seen: Counter[tuple[str, ...]]) -> None:
    """Everything seen was predicted with weight, and everything predicted was seen, in its share.

    The chance that a branch of weight w stays unseen in 200 tries is (1-w)^200: under 1e-9 for a tenth.
    A share may be off by six standard deviations.
    """
    assert None not in expected.values(), f"not decided: {expected}"
    assert set(seen) == {end for end, weight in expected.items() if weight}, (expected, seen)
    total = sum(seen.values())
    for end, count in seen.items():
        share = float(expected[end] or 0)
        slack = 6 * (share * (1 - share) * total) ** 0.5 + 1
        assert abs(count - share * total) <= slack, (end, count, share)

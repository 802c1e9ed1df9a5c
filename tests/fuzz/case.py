"""One generated case: how the router is set up, its rules, and the packets that are sent through it.

Everything is plain text and numbers, so a case can be kept in a file, read by people and run again.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One packet."""

    by: str
    """The router's device that takes it; empty: a socket of the router sends it."""
    source: str
    """Empty: the router chooses it."""
    target: str
    protocol: str = "udp"
    """tcp, udp, icmp or sctp."""
    sport: int = 40000
    """For ICMP: the id."""
    dport: int = 80
    flags: str = "S"
    """Of TCP."""
    kind: int = 8
    """ICMP type, in IPv4's numbers."""
    code: int = 0
    tos: int = 0
    ttl: int = 64
    size: int = 0
    """Bytes of payload."""
    mark: int = 0
    """Of a socket of the router."""
    mac: str = ""
    """Of a frame to a bridge: the station that it is for; empty: the router."""
    answer: bool = False
    """After the packet has left or was delivered, its answer is sent, too."""
    again: bool = False
    """The same packet once more, as part of its connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A router and packets."""

    legacy4: str = ""
    legacy6: str = ""
    nft4: str = ""
    """For iptables-nft-restore."""
    nft6: str = ""
    native: str = ""
    """For `nft -f`."""
    ipsets: str = ""
    routes: tuple[str, ...] = ()
    """Lines for `ip -batch`: rules and routes; they are undone by `Ground.clear`."""
    sysctls: dict[str, int] = field(default_factory=dict)
    shots: tuple[Shot, ...] = ()

    def dumps(self) -> str:
        """As JSON; what is as usual is left out."""
        found = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value:
                found[each.name] = value
        found["shots"] = [_short(shot) for shot in self.shots]
        for name in ("legacy4", "legacy6", "nft4", "nft6", "native", "ipsets"):
            if name in found:
                found[name] = found[name].splitlines()
        return json.dumps(found, indent=1)


def _short(shot: Shot) -> dict[str, Any]:
    usual = asdict(Shot(by="", source="", target=""))
    always = {"by", "source", "target", "protocol"}
    return {k: v for k, v in asdict(shot).items() if k in always or v != usual[k]}


def loads(text: str) -> Case:
    """What `dumps` wrote."""
    found: dict[str, Any] = json.loads(text)
    for name, value in found.items():
        if name in {"legacy4", "legacy6", "nft4", "nft6", "native", "ipsets"}:
            found[name] = "".join(f"{line}\n" for line in value)
    found["shots"] = tuple(Shot(**shot) for shot in found["shots"])
    found["routes"] = tuple(found.get("routes", ()))
    found.pop("story", None)
    return Case(**found)


def pinned() -> list[Path]:
    """The cases that once found a difference."""
    return sorted(Path(__file__).with_name("pinned").glob("*.json"))

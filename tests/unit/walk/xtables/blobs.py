"""Legacy tables built by hand, byte for byte as the kernel gives them."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from kubectl_packetpath.packet import Connection, Packet, State
from kubectl_packetpath.snapshot import NetworkNamespace
from kubectl_packetpath.snapshot.links import Link
from kubectl_packetpath.snapshot.recorded import RecordedNamespace
from kubectl_packetpath.snapshot.xtables import LegacyTable
from kubectl_packetpath.trace import Outcome
from kubectl_packetpath.walk.here import Here, Hook
from kubectl_packetpath.walk.xtables.chains import run_base
from kubectl_packetpath.walk.xtables.extension import Extension

VERDICTS = {"DROP": -1, "ACCEPT": -2, "QUEUE": -4, "RETURN": -5}
GOTO = 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rule: `to` names a verdict or a chain, or is a target; None falls through."""

    destination: str = "0.0.0.0/0"
    matches: tuple[Extension, ...] = ()
    to: str | Extension | None = None
    goto: bool = False
    protocol: int = 0


def extension_bytes(extension: Extension) -> bytes:
    """`xt_entry_match` or `xt_entry_target`."""
    data = extension.data + bytes(-len(extension.data) % 8)
    name = extension.name.encode().ljust(29, b"\0")
    return struct.pack("<H29sB", 32 + len(data), name, extension.revision) + data


def entry(line: Line, verdict: int) -> bytes:
    """An `ipt_entry`."""
    network = ip_network(line.destination)
    matches = b"".join(extension_bytes(each) for each in line.matches)
    target = (
        line.to
        if isinstance(line.to, Extension)
        else Extension(name="", revision=0, data=struct.pack("<i4x", verdict))
    )
    ending = extension_bytes(target)
    head = struct.pack(
        "<4s4s4s4s64sHBB",
        bytes(4),
        network.network_address.packed,
        bytes(4),
        network.netmask.packed,
        bytes(64),
        line.protocol,
        GOTO if line.goto else 0,
        0,
    )
    size = 112 + len(matches)
    return head + struct.pack("<IHHIQQ", 0, size, size + len(ending), 0, 7, 420) + matches + ending


def error_entry(name: str) -> bytes:
    """The head of a user-defined chain."""
    target = struct.pack("<H29sB30s2x", 64, b"ERROR".ljust(29, b"\0"), 0, name.encode())
    return struct.pack("<84xIHHIQQ", 0, 112, 176, 0, 0, 0) + target


def table_of(
    base: Sequence[Line],
    chains: Mapping[str, Sequence[Line]] | None = None,
    policy: str = "ACCEPT",
    name: str = "filter",
) -> LegacyTable:
    """A table with one built-in chain, PREROUTING."""
    offsets: dict[str, int] = {}
    blob = b""
    for _ in range(2):  # the first round finds where the chains stand
        blob = _rules(blob=b"", lines=base, offsets=offsets)
        underflow = len(blob)
        blob += entry(Line(), VERDICTS[policy])
        for chain, lines in (chains or {}).items():
            blob += error_entry(chain)
            offsets[chain] = len(blob)
            blob = _rules(blob, lines, offsets) + entry(Line(), VERDICTS["RETURN"])
        blob += error_entry("ERROR")
    nowhere = 0xFFFFFFFF
    return LegacyTable(
        family=4,
        name=name,
        valid_hooks=1,
        hook_entry=(0, nowhere, nowhere, nowhere, nowhere),
        underflow=(underflow, nowhere, nowhere, nowhere, nowhere),
        blob=blob,
    )


def _rules(blob: bytes, lines: Sequence[Line], offsets: dict[str, int]) -> bytes:
    for line in lines:
        size = len(entry(line, 0))
        verdict = len(blob) + size if line.to is None else 0
        if isinstance(line.to, str):
            verdict = VERDICTS.get(line.to, offsets.get(line.to, 0))
        blob += entry(line, verdict)
    return blob


def tcp_packet(**fields: Any) -> Packet:
    """A SYN of a new connection."""
    given = {
        "source": ip_address("10.0.0.1"),
        "destination": ip_address("10.96.0.9"),
        "protocol": 6,
        "sport": 40000,
        "dport": 80,
        **fields,
    }
    packet = Packet(**given)
    flow = packet.flow
    connection = Connection(state=State.NEW, original=flow, reply=flow.reversed)
    return Packet(**{"connection": connection, **given})


def here_with(*tables: LegacyTable, hook: Hook = Hook.PREROUTING, **sections: Any) -> Here:
    """A place in a namespace that has these tables."""
    state = RecordedNamespace(NetworkNamespace(identity=1, is_host=True, legacy=tables, **sections))
    return Here(
        node="node1", state=state, hook=hook, in_device=Link(index=2, name="eth0", mac="02:00:00:00:00:01")
    )


def walked(table: LegacyTable, packet: Packet | None = None, **sections: Any) -> list[Outcome]:
    """All outcomes of the table's chain."""
    return list(run_base(here_with(table, **sections), 4, table, packet or tcp_packet(), None))

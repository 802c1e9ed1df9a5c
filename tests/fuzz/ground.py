"""The router that all cases are tried on: made once, and cleared before each case.

Three routed wires (r0, r1, r2) and a bridge (br0) with two ports (p0, p1). The other ends stand in one more
namespace, where nobody answers: all neighbours are entered by hand, and frames are put on the wires as they are.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuzz.case import Case

from packetpath_agent.netns import inside
from testbed.netns import CommandError, Namespace, succeed

WIRES = {"r0": "c0", "r1": "c1", "r2": "c2", "p0": "q0", "p1": "q1"}
"""The router's devices, and their other ends."""
NETWORKS = {"r0": 0, "r1": 1, "r2": 2, "br0": 3}
OWN_MAC = {name: f"02:00:00:00:00:{number:02x}" for number, name in enumerate((*WIRES, "br0"), start=1)}
STATIONS = (*range(2, 16), 129)
GATEWAY4, GATEWAY6 = "10.77.2.2", "fd77:2::2"
OBSERVER = """
flush ruleset
table inet observer {
 chain pre { type filter hook prerouting priority -450; meta nftrace set 1; }
 chain out { type filter hook output priority -450; meta nftrace set 1; }
 chain in { type filter hook input priority 1000; }
 chain post { type filter hook postrouting priority 1000; }
}
"""
TRACKING = "add rule inet observer in ct state new\n"
"""Loaded beside chains of type nat: alone they would not switch connection tracking on, which docs/agreement.md
names as a limit of the walk."""
SYSCTLS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/bridge/bridge-nf-call-iptables": 0,
    "net/bridge/bridge-nf-call-ip6tables": 0,
    **{f"net/ipv4/conf/{name}/rp_filter": 0 for name in ("all", "default", "r0", "r1", "r2", "br0")},
    **{f"net/ipv4/conf/{name}/send_redirects": 0 for name in ("all", "default", "r0", "r1", "r2", "br0")},
    **{f"net/ipv4/conf/{name}/route_localnet": 0 for name in ("all", "r0", "r1", "r2", "br0")},
    **{f"net/ipv4/conf/{name}/accept_local": 0 for name in ("all", "r0", "r1", "r2", "br0")},
    **{f"net/ipv4/conf/{name}/src_valid_mark": 0 for name in ("all", "r0", "r1", "r2", "br0")},
    "net/netfilter/nf_conntrack_tcp_loose": 1,
    "net/netfilter/nf_conntrack_tcp_be_liberal": 0,
    "net/ipv4/tcp_l3mdev_accept": 0,
}
ONCE = {
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv4/tcp_synack_retries": 0,
}
LEGACY_TABLES = ("raw", "mangle", "nat", "filter")
BUILT_IN = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}


def address(device: str, host: int, family: int) -> str:
    """An address of the network on this device; 1 is the router."""
    number = NETWORKS["br0" if device.startswith("p") else device]
    return f"10.77.{number}.{host}" if family == 4 else f"fd77:{number}::{host}"


def mac(device: str, host: int) -> str:
    """The link address of a station."""
    return f"02:00:00:00:{NETWORKS[device] + 1:02x}:{host:02x}"


def port_of(host: int) -> str:
    """The bridge's port behind which a station stands."""
    return "p0" if host % 2 == 0 else "p1"


PROGRAMS = {
    "nft4": "iptables-nft-restore -n",
    "nft6": "ip6tables-nft-restore -n",
    "native": "nft -f -",
}


class RefusedError(Exception):
    """A program would not load a part of the case."""

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part
        found = re.search(r"(?:stdin:|line )(\d+)", text)
        self.line = int(found[1]) if found else 0
        """Which line of the part it is; 0: not told."""


class Ground:
    """The two namespaces, and what is loaded into the router."""

    def __init__(self, name: str) -> None:
        self.router = Namespace(name=f"ppf-{name}-router")
        self.field = Namespace(name=f"ppf-{name}-field")
        self._changed: dict[str, int] = {}
        self._legacy: set[int] = set()
        self._undo: dict[int, list[str]] = {4: [], 6: []}
        for namespace in (self.router, self.field):
            if namespace.exists():
                namespace.delete()
            namespace.create()
        quiet = {"net/ipv6/conf/default/accept_dad": 0, "net/ipv6/conf/default/disable_ipv6": 0}
        self.router.sysctls({**quiet, **ONCE})
        self.field.sysctls({"net/ipv6/conf/default/disable_ipv6": 1})
        self._connect()
        self.descriptor = os.open(self.router.path, os.O_RDONLY | os.O_CLOEXEC)
        self.field_descriptor = os.open(self.field.path, os.O_RDONLY | os.O_CLOEXEC)
        self.router.sysctls(SYSCTLS)

    def close(self) -> None:
        """Leave nothing."""
        os.close(self.descriptor)
        os.close(self.field_descriptor)
        for namespace in (self.router, self.field):
            namespace.delete()

    def _connect(self) -> None:
        lines = [f"link add br0 address {OWN_MAC['br0']} type bridge mcast_snooping 0 ageing_time 0"]
        lines += ["link set br0 type bridge forward_delay 0"]
        for mine, theirs in WIRES.items():
            lines.append(
                f"link add {mine} address {OWN_MAC[mine]} type veth peer name {theirs} netns {self.field.name}"
            )
        lines += [f"link set {name} master br0" for name in ("p0", "p1")]
        lines += [f"link set {name} type bridge_slave learning off flood off" for name in ("p0", "p1")]
        lines += [f"link set {name} up" for name in (*WIRES, "br0")]
        self.field.ip()
        self.router.ip(*lines)
        self.field.ip(*(f"link set {theirs} arp off up" for theirs in WIRES.values()))
        lines = []
        for device in NETWORKS:
            for family, length in ((4, 24), (6, 64)):
                lines.append(
                    f"addr add {address(device, 1, family)}/{length} dev {device} {'nodad' * (family == 6)}"
                )
                lines += [
                    f"neigh replace {address(device, host, family)} lladdr {mac(device, host)} dev {device} nud permanent"
                    for host in STATIONS
                ]
        lines += [
            "addr add 10.77.1.129/24 dev r1",
            "addr add 10.78.0.1/32 dev lo",
            "addr add fd78::1/128 dev lo",
        ]
        lines += [f"route add default via {GATEWAY4}", f"route add ::/0 via {GATEWAY6}"]
        self.router.ip(*lines)
        fdb = [f"fdb replace {mac('br0', host)} dev {port_of(host)} master static" for host in STATIONS]
        succeed(["bridge", "-n", self.router.name, "-batch", "-"], stdin="".join(f"{line}\n" for line in fdb))

    def load(self, case: Case) -> None:
        """Replace all rules, routes and settings; raises `CommandError` where a program refuses them."""
        self._settings(case)
        self._run("nft -f -", OBSERVER + (TRACKING if "type nat" in case.native else ""))
        if case.ipsets:
            self._run("ipset -exist restore", case.ipsets)
        for part in ("legacy4", "legacy6", "nft4", "nft6", "native"):
            try:
                self._load_part(part, getattr(case, part))
            except CommandError as problem:
                raise RefusedError(part, str(problem)) from problem

    def _load_part(self, part: str, text: str) -> None:
        if part in {"legacy4", "legacy6"}:
            self._tables(int(part[-1]), text)
        elif text:
            self._run(PROGRAMS[part], text)

    def _run(self, program: str, text: str) -> None:
        succeed([*self.router.enter, *program.split()], stdin=text)

    def _tables(self, family: int, text: str) -> None:
        """A table that was once loaded stays; it is emptied where the case has none."""
        if not text and family not in self._legacy:
            return
        if text:
            self._legacy.add(family)
        given = {line[1:] for line in text.splitlines() if line.startswith("*")}
        empty = "".join(
            f"*{table}\n{''.join(f':{chain} ACCEPT{chr(10)}' for chain in BUILT_IN[table])}COMMIT\n"
            for table in LEGACY_TABLES
            if table not in given
        )
        self._run(f"ip{'6' if family == 6 else ''}tables-legacy-restore", text + empty)

    def _settings(self, case: Case) -> None:
        changed = {key: SYSCTLS[key] for key in self._changed} | case.sysctls
        if changed:
            with inside(self.descriptor):
                for key, value in changed.items():
                    Path(f"/proc/sys/{key}").write_text(str(value))
        self._changed = dict(case.sysctls)
        for family in (4, 6):
            lines = [
                line.removeprefix("-6 ") for line in case.routes if line.startswith("-6 ") == (family == 6)
            ]
            self._batch(family, [*self._undo[family], *lines])
            added = [line for line in lines if line.startswith("route add")]
            self._undo[family] = [_undone(line) for line in (*added, *(set(lines) - set(added)))]

    def _batch(self, family: int, lines: list[str]) -> None:
        if lines:
            command = ["ip", f"-{family}", "-n", self.router.name, "-batch", "-"]
            succeed(command, stdin="".join(f"{line}\n" for line in lines))


def _undone(line: str) -> str:
    return line.replace("route add", "route del").replace("rule add", "rule del")


@contextmanager
def ground(name: str) -> Iterator[Ground]:
    """A router that is gone afterwards."""
    made = Ground(name)
    try:
        yield made
    finally:
        made.close()

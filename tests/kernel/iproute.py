"""A namespace's routing state as iproute2 tells it: a second pair of eyes beside the agent's reader."""

import base64
import json
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, cast

from kubectl_packetpath.packet import PROTOCOL_NUMBERS
from kubectl_packetpath.snapshot import NamespacePeer, PodReference
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.links import Bridge, BridgePort, InterfaceAddress, Link
from kubectl_packetpath.snapshot.routing import (
    ForwardingEntry,
    Neighbour,
    NextHop,
    NexthopObject,
    PolicyRule,
    Route,
)
from kubectl_packetpath.snapshot.sockets import Socket
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.snapshot.xtables import LegacyChain, LegacyTable
from kubectl_packetpath.snapshot.xtables_blob import cut_chain

ROUTE_TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}
ACTIONS = {"1": "to_table", "3": "nop", "6": "blackhole", "7": "unreachable", "8": "prohibit"}
NUD = {
    "INCOMPLETE": 1,
    "REACHABLE": 2,
    "STALE": 4,
    "DELAY": 8,
    "PROBE": 16,
    "FAILED": 32,
    "NOARP": 64,
    "PERMANENT": 128,
    "NONE": 0,
}
NOTHING = Absent(why=Why.NOT_LOADED)
FLAGS = {"dead": 0x01, "onlink": 0x04, "linkdown": 0x10}
LINK_FLAGS = {"UP": 0x1, "LOOPBACK": 0x8, "NOARP": 0x80, "LOWER_UP": 0x10000}


def ask(namespace: str, *words: str) -> Any:
    """What `ip -json` says in a namespace."""
    command = ["ip", "-n", namespace, "-N", "-j", "-d", *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout or "[]")


def inode(namespace: str) -> int:
    """The number by which the kernel knows a namespace."""
    return Path(f"/run/netns/{namespace}").stat().st_ino


class IprouteState:
    """A namespace without rules: what routing, bridging and delivery read."""

    def __init__(self, namespace: str, *, is_host: bool = True) -> None:
        self.namespace = namespace
        self.is_host = is_host
        self.identity = inode(namespace)
        self.pod = None if is_host else PodReference(namespace="lab", name=namespace)
        self.peers = tuple(
            NamespacePeer(nsid=row["nsid"], identity=inode(row["name"]))
            for row in ask(namespace, "netns", "list-id")
            if "name" in row
        )
        rows = ask(namespace, "link")
        self.by_name = {row["ifname"]: row["ifindex"] for row in rows}
        self.link_rows = tuple(self._link(row) for row in rows)
        self.sysctls: dict[str, str | None] = {}
        self.tables: tuple[LegacyTable, ...] | None = None

    def _link(self, row: dict[str, Any]) -> Link:
        flags = sum(bit for name, bit in LINK_FLAGS.items() if name in row["flags"])
        info = row.get("linkinfo", {})
        port = info.get("info_slave_data", {}) if info.get("info_slave_kind") == "bridge" else None
        return Link(
            index=row["ifindex"],
            name=row["ifname"],
            kind=info.get("info_kind", ""),
            mac=row["address"],
            mtu=row["mtu"],
            flags=flags,
            master=self.by_name.get(row.get("master", "")),
            link=row["link_index"] if "link_index" in row else self.by_name.get(row.get("link", "")),
            link_netnsid=row.get("link_netnsid"),
            bridge=Bridge() if info.get("info_kind") == "bridge" else None,
            port=BridgePort(hairpin=port.get("hairpin", False), isolated=port.get("isolated", False))
            if port is not None
            else None,
        )

    def links(self) -> tuple[Link, ...]:
        """All devices."""
        return self.link_rows

    def addresses(self) -> tuple[InterfaceAddress, ...]:
        """All addresses."""
        return tuple(
            InterfaceAddress(
                link=row["ifindex"],
                address=ip_address(entry["local"]),
                prefix_length=entry["prefixlen"],
                scope=int(entry["scope"]),
                flags=(0x01 if entry.get("secondary") else 0) | (0x20 if entry.get("deprecated") else 0),
            )
            for row in ask(self.namespace, "addr")
            for entry in row["addr_info"]
        )

    def policy_rules(self) -> tuple[PolicyRule, ...]:
        """`ip rule`."""
        return tuple(
            self._rule(family, row)
            for family in (4, 6)
            for row in ask(self.namespace, f"-{family}", "rule", "show")
        )

    def _rule(self, family: int, row: dict[str, Any]) -> PolicyRule:
        def network(name: str) -> Any:
            if row.get(name, "all") == "all":
                return None
            length = row.get(f"{name}len", 32 if family == 4 else 128)
            return ip_network(f"{row[name]}/{length}")

        def ports(name: str) -> tuple[int, int] | None:
            if name in row:
                return row[name], row[name]
            return (row[f"{name}_start"], row[f"{name}_end"]) if f"{name}_start" in row else None

        mark = int(row.get("fwmark", "0"), 16)
        mask = int(row["fwmask"], 16) if "fwmask" in row else (0xFFFFFFFF if "fwmark" in row else 0)
        action = "goto" if "goto" in row else ACTIONS[str(row.get("action", "1"))]
        protocol = row.get("ipproto")
        return PolicyRule(
            family=family,
            priority=row["priority"],
            action=action,
            table=int(row.get("table", 0)),
            goto=row.get("goto"),
            source=network("src"),
            destination=network("dst"),
            mark=mark,
            mask=mask,
            iif=row.get("iif", ""),
            oif=row.get("oif", ""),
            tos=int(row.get("tos", "0"), 16),
            uid_range=(row["uid_start"], row["uid_end"]) if "uid_start" in row else None,
            protocol=int(str(protocol).removeprefix("ipproto-")) if protocol is not None else None,
            sport_range=ports("sport"),
            dport_range=ports("dport"),
            suppress_prefix_length=row.get("suppress_prefixlen"),
            invert="not" in row,
        )

    def routes(self) -> tuple[Route, ...]:
        """All tables."""
        return tuple(
            self._route(family, row)
            for family in (4, 6)
            for row in ask(self.namespace, f"-{family}", "route", "show", "table", "all")
            if row.get("type") != "5"
        )

    def _route(self, family: int, row: dict[str, Any]) -> Route:
        default = "0.0.0.0/0" if family == 4 else "::/0"
        destination = default if row["dst"] == "default" else row["dst"]
        metrics = row.get("metrics", [{}])[0]
        source = row.get("from")
        return Route(
            destination=ip_network(destination),
            table=int(row.get("table", 254)),
            type=ROUTE_TYPES[int(row.get("type", 1))],
            scope=int(row.get("scope", 0)),
            protocol=int(row.get("protocol", 0)),
            metric=row.get("metric", 0),
            tos=int(row.get("tos", "0"), 16),
            preferred_source=ip_address(row["prefsrc"]) if "prefsrc" in row else None,
            source=ip_network(source) if source and source != "all" else None,
            hops=tuple(self._hop(hop) for hop in row.get("nexthops", [row] if "dev" in row else [])),
            nexthop_id=row.get("nhid"),
            mtu=metrics.get("mtu"),
        )

    def _hop(self, row: dict[str, Any]) -> NextHop:
        gateway = row.get("gateway") or row.get("via", {}).get("host")
        return NextHop(
            device=self.by_name[row["dev"]],
            gateway=ip_address(gateway) if gateway else None,
            weight=row.get("weight", 1),
            flags=sum(FLAGS.get(flag, 0) for flag in row.get("flags", ())),
        )

    def nexthops(self) -> tuple[NexthopObject, ...]:
        """`ip nexthop`."""
        return tuple(
            NexthopObject(
                id=row["id"],
                hop=self._hop(row) if "dev" in row else None,
                group=tuple((member["id"], member.get("weight", 1)) for member in row.get("group", ())),
                blackhole="blackhole" in row,
            )
            for row in ask(self.namespace, "nexthop", "show")
        )

    def neighbours(self) -> tuple[Neighbour, ...]:
        """`ip neigh`."""
        return tuple(
            Neighbour(
                link=self.by_name[row["dev"]],
                address=ip_address(row["dst"]),
                mac=row.get("lladdr", ""),
                state=sum(NUD[name] for name in row.get("state", ())),
            )
            for row in ask(self.namespace, "neigh")
        )

    def fdb(self) -> tuple[ForwardingEntry, ...]:
        """`bridge fdb`."""
        command = ["nsenter", f"--net=/run/netns/{self.namespace}", "bridge", "-j", "fdb"]
        rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout or "[]")
        return tuple(
            ForwardingEntry(
                link=self.by_name[row["ifname"]],
                mac=row["mac"],
                master=self.by_name.get(row.get("master", "")),
            )
            for row in rows
        )

    def sockets(self) -> tuple[Socket, ...]:
        """`ss`: TCP listeners and unconnected UDP sockets."""
        command = ["nsenter", f"--net=/run/netns/{self.namespace}", "ss", "-Hltun"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return tuple(self._socket(line.split()) for line in lines)

    def _socket(self, words: list[str]) -> Socket:
        address, _, port = words[4].rpartition(":")
        plain = address.strip("[]").partition("%")[0]
        family = 4 if "." in plain and ":" not in plain else 6
        return Socket(
            family=family,
            protocol=PROTOCOL_NUMBERS[words[0]],
            address=ip_address("::" if plain == "*" else plain),
            port=int(port),
            state=10 if words[0] == "tcp" else 7,
        )

    def conntrack_active(self) -> bool:
        """NAT chains turn it on where a test needs it."""
        return False

    def legacy_tables(self) -> tuple[LegacyTable, ...]:
        """Read once."""
        if self.tables is None:
            enter = ["nsenter", f"--net=/run/netns/{self.namespace}"]
            script = [sys.executable, str(Path(__file__).with_name("legacy.py"))]
            done = subprocess.run([*enter, *script], capture_output=True, text=True, check=True)
            self.tables = tuple(
                LegacyTable(
                    family=row["family"],
                    name=row["name"],
                    valid_hooks=row["hooks"],
                    hook_entry=tuple(row["offsets"][:5]),
                    underflow=tuple(row["offsets"][5:]),
                    blob=base64.b64decode(row["blob"]),
                )
                for row in json.loads(done.stdout)
            )
        return self.tables

    def legacy_chain(self, family: int, table: str, offset: int) -> LegacyChain:
        """Cut out of the blob."""
        found = next(each for each in self.legacy_tables() if (each.family, each.name) == (family, table))
        hooks = [
            entry if found.valid_hooks >> hook & 1 else -1 for hook, entry in enumerate(found.hook_entry)
        ]
        return cut_chain(family, found.blob or b"", offset, tuple(hooks), found.underflow)

    def nft_tables(self) -> Absent:
        """No rules of this kind."""
        return NOTHING

    def registered_hooks(self) -> Absent:
        """The kernel does not say."""
        return NOTHING

    def ipvs(self) -> Absent:
        """None."""
        return NOTHING

    def xfrm_policies(self) -> Absent:
        """None."""
        return NOTHING

    def nft_base_chains(self) -> Absent:
        """No rules of this kind."""
        return NOTHING

    def sysctl(self, key: str) -> str | None:
        """A file below /proc/sys."""
        if key not in self.sysctls:
            command = ["nsenter", f"--net=/run/netns/{self.namespace}", "cat", f"/proc/sys/{key}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.sysctls[key] = done.stdout.strip() if done.returncode == 0 else None
        return self.sysctls[key]


class IprouteNode:
    """Namespaces seen as one node; the first is the host."""

    name = "lab"
    kernel = ""

    def __init__(self, namespaces: dict[str, str]) -> None:
        states = [IprouteState(name, is_host=place == 0) for place, name in enumerate(namespaces.values())]
        self.states = {state.identity: cast(NamespaceState, state) for state in states}

    def host(self) -> NamespaceState:
        """The first one."""
        return next(iter(self.states.values()))

    def namespace(self, identity: int) -> NamespaceState | None:
        """By inode number."""
        return self.states.get(identity)

    def namespaces(self) -> tuple[NamespaceState, ...]:
        """All."""
        return tuple(self.states.values())

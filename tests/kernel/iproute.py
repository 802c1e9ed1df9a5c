"""A namespace's routing state as iproute2 tells it: a second pair of eyes beside the agent's reader."""

import json
import subprocess
from ipaddress import ip_address, ip_network
from typing import Any

from kubectl_packetpath.snapshot.links import Bridge, BridgePort, InterfaceAddress, Link
from kubectl_packetpath.snapshot.routing import (
    NUD_FAILED,
    NUD_INCOMPLETE,
    NUD_NOARP,
    NUD_PERMANENT,
    NUD_REACHABLE,
    NUD_STALE,
    Neighbour,
    NextHop,
    NexthopObject,
    PolicyRule,
    Route,
)

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
FLAGS = {"dead": 0x01, "onlink": 0x04, "linkdown": 0x10}
ADDRESS_FLAGS = {
    "secondary": 0x01,
    "temporary": 0x01,
    "dadfailed": 0x08,
    "deprecated": 0x20,
    "tentative": 0x40,
}
NEIGHBOUR_STATES = {
    "INCOMPLETE": NUD_INCOMPLETE,
    "REACHABLE": NUD_REACHABLE,
    "STALE": NUD_STALE,
    "DELAY": 0x08,
    "PROBE": 0x10,
    "FAILED": NUD_FAILED,
    "NOARP": NUD_NOARP,
    "PERMANENT": NUD_PERMANENT,
    "NONE": 0,
}
LINK_FLAGS = {"UP": 0x1, "LOOPBACK": 0x8, "NOARP": 0x80, "LOWER_UP": 0x10000}


def ask(namespace: str, *words: str) -> Any:
    """What `ip -json` says in a namespace."""
    command = ["ip", "-n", namespace, "-N", "-j", "-d", *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout or "[]")


class IprouteState:
    """The part of `NamespaceState` that routing reads."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        rows = ask(namespace, "link")
        self.by_name = {row["ifname"]: row["ifindex"] for row in rows}
        self.link_rows = tuple(self._link(row) for row in rows)
        self.sysctls: dict[str, str | None] = {}

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
            group=int(row["group"]),
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
                flags=sum(bit for name, bit in ADDRESS_FLAGS.items() if entry.get(name)),
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
            suppress_group=int(row["suppress_ifgroup"]) if "suppress_ifgroup" in row else None,
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
            preference={"low": 3, "high": 1}.get(row.get("pref", ""), 0),
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
                resilient=row.get("type") == "resilient",
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
                state=sum(NEIGHBOUR_STATES[name] for name in row["state"]),
            )
            for row in ask(self.namespace, "neigh", "show", "nud", "all")
        )

    def sysctl(self, key: str) -> str | None:
        """A file below /proc/sys."""
        if key not in self.sysctls:
            command = ["nsenter", f"--net=/run/netns/{self.namespace}", "cat", f"/proc/sys/{key}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.sysctls[key] = done.stdout.strip() if done.returncode == 0 else None
        return self.sysctls[key]

"""A node with virtual servers, two pods behind them, a pod that is only a client, and a host outside.

The rules are those that kube-proxy makes in IPVS mode, as far as they touch these packets.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

from kernel.ipvs.traffic import Seen, Servers, attempts
from kernel.lab import Lab, identity, lab, question

from kubectl_packetpath.snapshot.state import NodeState
from kubectl_packetpath.trace import Ending, Verdict
from kubectl_packetpath.walk import explore
from kubectl_packetpath.walk.cluster import answer_to
from testbed.netns import succeed

VIP, VIP6 = "10.96.0.1", "fd00:96::1"
PODS = {"one": 1, "two": 2, "client": 3}
OUTSIDE, OUTSIDE6 = "192.0.2.9", "2001:db8::9"
NODE, NODE6 = "192.0.2.1", "2001:db8::1"
PROTOCOLS = ("tcp", "udp", "sctp")
Weights = dict[Seen, Fraction | None]


def pod(name: str, version: int = 4) -> str:
    """The address of a pod."""
    number = PODS[name]
    return f"10.1.{number}.2" if version == 4 else f"fd00:1:{number}::2"


@contextmanager
def bench(name: str, *, tracked: bool = True, bridged: str = "") -> Iterator[Lab]:
    """The namespaces and their servers, without a virtual server yet."""
    servers = Servers()
    with lab(name) as made:
        made.add("node", *PODS, "outside")
        _wire_pods(made, bridged=bridged)
        made.connect(("node", "out"), ("outside", "eth0"))
        node = made["node"]
        node.ip(
            f"addr add {NODE}/24 dev out",
            f"addr add {NODE6}/64 dev out nodad",
            "link add kube-ipvs0 type dummy",
            f"addr add {VIP}/32 dev kube-ipvs0",
            f"addr add {VIP6}/128 dev kube-ipvs0 nodad",
        )
        made["outside"].ip(
            f"addr add {OUTSIDE}/24 dev eth0",
            f"addr add {OUTSIDE6}/64 dev eth0 nodad",
            f"route add 10.0.0.0/8 via {NODE}",
            f"route add fd00::/16 via {NODE6}",
        )
        node.sysctls(
            {
                "net/ipv4/ip_forward": 1,
                "net/ipv6/conf/all/forwarding": 1,
                "net/ipv4/vs/conntrack": int(tracked),
                "net/ipv4/vs/expire_nodest_conn": 1,
            }
        )
        for who in ("node", "one", "two"):
            for protocol in PROTOCOLS:
                servers.add(who, made[who], protocol, 8080)
        servers.start()
        try:
            yield made
        finally:
            servers.close()


def _wire_pods(made: Lab, *, bridged: str) -> None:
    node = made["node"]
    if bridged:
        node.ip("link add cni0 type bridge", "link set cni0 up", "addr add 10.1.0.1/16 dev cni0")
        node.ip("addr add fd00:1::1/32 dev cni0 nodad")
    for name, number in PODS.items():
        made.connect(("node", name), (name, "eth0"))
        if bridged:
            gateway, gateway6, length, length6 = "10.1.0.1", "fd00:1::1", 16, 32
            node.ip(f"link set {name} master cni0")
            if bridged == "hairpin":
                node.ip(f"link set {name} type bridge_slave hairpin on")
        else:
            gateway, gateway6, length, length6 = f"10.1.{number}.1", f"fd00:1:{number}::1", 24, 64
            node.ip(f"addr add {gateway}/24 dev {name}", f"addr add {gateway6}/64 dev {name} nodad")
        made[name].ip(
            f"addr add {pod(name)}/{length} dev eth0",
            f"addr add {pod(name, 6)}/{length6} dev eth0 nodad",
            f"route add default via {gateway}",
            f"route add ::/0 via {gateway6}",
        )


def serve_virtually(made: Lab, rules: str) -> None:
    """Add virtual servers, in the words of `ipvsadm -Sn`."""
    succeed([*made["node"].enter, "ipvsadm", "-R"], stdin=rules)


def masquerade(made: Lab, *, everyone: bool = False) -> None:
    """A pod that reaches itself is masqueraded, and so is the host outside, or everyone."""
    for program, four in (("iptables-legacy-restore", True), ("ip6tables-legacy-restore", False)):
        name = "LOOP" if four else "LOOP6"
        family = "inet" if four else "inet6"
        members = "".join(
            f"add {name} {pod(who, 4 if four else 6)},{protocol}:8080,{pod(who, 4 if four else 6)}\n"
            for who in ("one", "two")
            for protocol in PROTOCOLS
        )
        made.load("node", "ipset restore", f"create {name} hash:ip,port,ip family {family}\n{members}")
        outside = "" if everyone else f"-s {OUTSIDE if four else OUTSIDE6} "
        rules = (
            "*nat\n"
            f"-A PREROUTING {outside}-j MARK --or-mark 0x4000\n"
            f"-A POSTROUTING -m set --match-set {name} dst,dst,src -j MASQUERADE\n"
            "-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
            "-A POSTROUTING -j MARK --xor-mark 0x4000\n"
            "-A POSTROUTING -j MASQUERADE --random-fully\n"
            "COMMIT\n"
        )
        made.load("node", program, rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One client's question."""

    who: str
    target: str
    port: int
    protocol: str = "tcp"


def predicted(made: Lab, asked: Asked, node: NodeState | None = None) -> Weights:
    """What the walk says a client sees, answers included, and how often; the state is read now unless it is given."""
    if node is None:
        with made.node() as fresh:
            return predicted(made, asked, fresh)
    found: Weights = defaultdict(Fraction)
    packet = question(asked.target, asked.port, asked.protocol)
    start = explore.Originated(namespace=identity(made[asked.who]), packet=packet)
    for path in explore.run(node, start):
        for seen, weight in _outcome(made, node, path):
            before = found[seen]
            found[seen] = None if before is None or weight is None else before + weight
    return dict(found)


def happened(made: Lab, asked: Asked, said: Weights, count: int = 1) -> Weights:
    """What real connections see; what should be lost is tried once per way, and not waited for as long."""
    ends = {seen[0] for seen in said}
    quick = "timeout" in ends
    count = len(said) if quick or "reached" not in ends else count
    seen = attempts(made[asked.who], (asked.target, asked.port, asked.protocol), count, quick=quick)
    return {each: Fraction(times, seen.total()) for each, times in seen.items()}


def _outcome(made: Lab, node: NodeState, path: explore.NodePath) -> Iterator[tuple[Seen, Fraction | None]]:
    if path.ending.verdict is not Verdict.DELIVERED:
        yield (_as_seen(path.ending), "", ""), path.weight
        return
    server = next(name for name, space in made.namespaces.items() if identity(space) == path.namespace)
    start = explore.Originated(namespace=path.namespace, packet=answer_to(path.packet))
    for back in explore.run(node, start, path.connections):
        seen = ("timeout", "", "")
        if back.ending.verdict is Verdict.DELIVERED:
            seen = ("reached", server, str(path.packet.source))
        share = None if path.weight is None or back.weight is None else path.weight * back.weight
        yield seen, share


def _as_seen(ending: Ending) -> str:
    if ending.verdict in {Verdict.REFUSED, Verdict.REJECTED, Verdict.NO_BACKEND}:
        return "refused"
    return {Verdict.NO_ROUTE: "unreachable", Verdict.UNKNOWN: "unknown"}.get(ending.verdict, "timeout")

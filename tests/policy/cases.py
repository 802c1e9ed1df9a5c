"""Policies made up by chance, each with many flows to judge: the same ones in every run.

They use all that a NetworkPolicy can say: both directions and types left out, selectors with every operator, networks
with exceptions, ports by number, range and name, all three protocols, both IP versions, and several policies at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")
Json = dict[str, Any]

NAMESPACES = {"x": {"ns": "x", "env": "prod"}, "y": {"ns": "y", "env": "prod"}, "z": {"ns": "z"}}
PODS = {
    "a": {"pod": "a", "tier": "front"},
    "b": {"pod": "b", "tier": "back"},
    "c": {"pod": "c", "tier": "back", "own": "yes"},
}
PREFIXES = {4: "192.0.2.", 6: "2001:db8:1::"}
OUTSIDE = {
    4: ("198.51.100.7", "198.51.100.200", "203.0.113.9"),
    6: ("2001:db8:2::7", "2001:db8:2::c8", "2001:db8:3::9"),
}
BLOCKS = {
    4: {
        "198.51.100.0/24": ("198.51.100.0/25", "198.51.100.200/32"),
        "0.0.0.0/0": ("192.0.2.0/24", "203.0.113.9/32"),
        "192.0.2.0/29": ("192.0.2.2/31",),
        "203.0.113.9/32": (),
    },
    6: {
        "2001:db8:2::/64": ("2001:db8:2::/120", "2001:db8:2::c8/128"),
        "::/0": ("2001:db8:1::/64", "2001:db8:3::9/128"),
        "2001:db8:1::/125": ("2001:db8:1::2/127",),
        "2001:db8:3::9/128": (),
    },
}
PROTOCOLS = ("TCP", "UDP", "SCTP")
PORTS = (80, 81, 7070)
FLOWS = 300
"""Of about a thousand that a case could ask, so that all of them are judged in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A new connection between two pods `x/a`, or one and an address."""

    source: str
    destination: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Some policies in a cluster, and the flows to judge by them."""

    policies: tuple[Json, ...]
    pods: Mapping[str, Json]
    namespaces: Mapping[str, Mapping[str, str]]
    flows: tuple[Flow, ...]

    @property
    def objects(self) -> Mapping[str, list[Json]]:
        """Everything as the API lists it."""
        return {
            "namespaces": [{"metadata": {"name": n, "labels": dict(v)}} for n, v in self.namespaces.items()],
            "pods": list(self.pods.values()),
            "networkpolicies": list(self.policies),
        }


def pods(version: int) -> dict[str, Json]:
    """Three pods in each of three namespaces; each names its ports."""
    names = list(product(NAMESPACES, PODS))
    return {
        f"{namespace}/{name}": {
            "metadata": {"name": name, "namespace": namespace, "labels": PODS[name]},
            "spec": {"nodeName": f"node-{name}", "containers": [{"ports": _container_ports(name)}]},
            "status": {"phase": "Running", "podIP": f"{PREFIXES[version]}{number}"},
        }
        for number, (namespace, name) in enumerate(names, 1)
    }


def _container_ports(name: str) -> list[Json]:
    """Pod c calls its port 81 what the others call port 80."""
    numbers = {"serve-80": 81, "serve-81": 80} if name == "c" else {"serve-80": 80, "serve-81": 81}
    return [
        {"name": f"{title}-{protocol.lower()}", "containerPort": number, "protocol": protocol}
        for title, number in numbers.items()
        for protocol in PROTOCOLS
    ]


def flows(version: int, inside: Mapping[str, Json]) -> tuple[Flow, ...]:
    """Every pair of two different ends, at least one of them a pod, with every protocol and port."""
    ends = (*inside, *OUTSIDE[version])
    return tuple(
        Flow(source=source, destination=destination, protocol=protocol, port=port)
        for source, destination in product(ends, ends)
        if source != destination and (source in inside or destination in inside)
        for protocol, port in product(PROTOCOLS, PORTS)
    )


def case(seed: int) -> Case:
    """The case with this number."""
    maker = Maker(random=Random(seed), version=6 if seed % 5 == 0 else 4)
    inside = pods(maker.version)
    number = 1 + maker.random.randrange(4)
    return Case(
        policies=tuple(maker.policy(f"p{each}") for each in range(number)),
        pods=inside,
        namespaces=NAMESPACES,
        flows=tuple(maker.random.sample(flows(maker.version, inside), FLOWS)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes things up."""

    random: Random
    version: int

    def policy(self, name: str) -> Json:
        """A policy that the API server would take."""
        spec: Json = {"podSelector": self.pod_selector()}
        for direction, word in (("ingress", "from"), ("egress", "to")):
            if self.chance(0.7):
                spec[direction] = self.some(lambda word=word: self.rule(word), 3)  # type: ignore[misc]
        types = self.random.choice([None, ["Ingress"], ["Egress"], ["Ingress", "Egress"]])
        if types is not None:
            spec["policyTypes"] = types
        return {"metadata": {"name": name, "namespace": self.random.choice("xxy")}, "spec": spec}

    def rule(self, word: str) -> Json:
        """Peers and ports, either of which may be empty or left out."""
        rule: Json = {}
        if self.chance(0.8):
            rule[word] = self.some(self.peer, 2)
        if self.chance(0.7):
            rule["ports"] = self.some(self.port, 2)
        return rule

    def peer(self) -> Json:
        """A network, or pods by one or both of the selectors."""
        if self.chance(0.3):
            block, exceptions = self.random.choice(list(BLOCKS[self.version].items()))
            excepted = [each for each in exceptions if self.chance(0.5)]
            return {"ipBlock": {"cidr": block, **({"except": excepted} if excepted else {})}}
        kind = self.random.choice(["pod", "namespace", "both"])
        namespace = {} if kind == "pod" else {"namespaceSelector": self.namespace_selector()}
        return namespace | ({} if kind == "namespace" else {"podSelector": self.pod_selector()})

    def port(self) -> Json:
        """A number, a range, a name, or the protocol alone; TCP may be left out."""
        protocol = self.random.choice(PROTOCOLS)
        written = {} if protocol == "TCP" and self.chance(0.5) else {"protocol": protocol}
        name = self.random.choice(["serve-80", "serve-81", "none"])
        return written | self.random.choice(
            [
                {},
                {"port": self.random.choice(PORTS)},
                {"port": 80, "endPort": self.random.choice([80, 81, 100])},
                {"port": 1, "endPort": self.random.choice([79, 65535])},
                {"port": f"{name}-{protocol.lower()}"},
            ]
        )

    def pod_selector(self) -> Json:
        """Chooses among pods."""
        return self.selector({"pod": "abc", "tier": ("front", "back")}, {"own": ("yes", "no")})

    def namespace_selector(self) -> Json:
        """Chooses among namespaces."""
        return self.selector({"ns": "xyz"}, {"env": ("prod", "test")})

    def selector(self, always: Mapping[str, Any], sometimes: Mapping[str, Any]) -> Json:
        """With labels that all have, and labels that only some have."""
        keys = {**always, **sometimes}
        selector: Json = {}
        if self.chance(0.4):
            key = self.random.choice(list(keys))
            selector["matchLabels"] = {key: self.random.choice(list(keys[key]))}
        if self.chance(0.4):
            key = self.random.choice(list(keys))
            operators = ["In", "Exists", "DoesNotExist"] + (["NotIn"] if key in always else [])
            selector["matchExpressions"] = [self.expression(key, self.random.choice(operators), keys[key])]
        return selector

    def expression(self, key: str, operator: str, values: Any) -> Json:
        """One requirement, with one or two values where it takes some."""
        listed = self.random.sample(list(values), k=self.random.randint(1, 2))
        return {"key": key, "operator": operator} | ({"values": listed} if operator.endswith("In") else {})

    def chance(self, probability: float) -> bool:
        """Yes, this often."""
        return self.random.random() < probability

    def some(self, make: Callable[[], T], most: int) -> list[T]:
        """None, one, or several."""
        return [make() for _ in range(self.random.randint(0, most))]

"""Ways that are lost or wrong: routes, neighbours, forwarding entries, MTUs, kernel parameters."""

from dataclasses import dataclass
from functools import partial

from testbed.addresses import Address, Network
from testbed.control import Place
from testbed.faults.base import Mend

STATES = ("linkdown", "dead", "pervasive")
"""What `ip route` shows of a route, and does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDeleted:
    """A place forgets the way to a network."""

    place: Place
    destination: Network | str
    """A network, or `default`."""
    version: int = 4

    def apply(self) -> Mend:
        """All its routes to exactly this destination."""
        ip = ["ip", f"-{self.version}", "route"]
        lines = self.place.run([*ip, "show", "exact", str(self.destination)]).splitlines()
        if not lines:
            raise LookupError(f"{self.place.title} has no route to {self.destination}.")
        self.place.run([*ip, "flush", "exact", str(self.destination)])
        kept = [" ".join(word for word in line.split() if word not in STATES) for line in lines]
        restore = "".join(f"ip -{self.version} route replace {line}\n" for line in kept)
        return partial(self.place.run, ["sh", "-e"], restore)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAdded:
    """A place has one route more, such as a blackhole."""

    place: Place
    route: str
    """As `ip route add` takes it: `blackhole 10.244.1.0/25`."""
    version: int = 4

    def apply(self) -> Mend:
        """Not allowed to replace one that is there."""
        ip = ["ip", f"-{self.version}", "route"]
        self.place.run([*ip, "add", *self.route.split()])
        return partial(self.place.run, [*ip, "delete", *self.route.split()])


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReplaced:
    """A place goes another way to a network."""

    place: Place
    route: str
    """As `ip route replace` takes it; its first word is the network."""
    version: int = 4

    def apply(self) -> Mend:
        """The way that there was comes back."""
        ip = ["ip", f"-{self.version}", "route"]
        (before,) = self.place.run([*ip, "show", "exact", self.route.split()[0]]).splitlines()
        self.place.run([*ip, "replace", *self.route.split()])
        return partial(self.place.run, [*ip, "replace", *before.split()])


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourDeleted:
    """A place no longer knows the hardware address of a neighbour that it does not ask for."""

    place: Place
    device: str
    address: Address

    def apply(self) -> Mend:
        """The entry comes back as it was."""
        ip = ["ip", "neigh"]
        shown = self.place.run([*ip, "show", str(self.address), "dev", self.device]).split()
        if "lladdr" not in shown:
            raise LookupError(f"{self.place.title} does not know {self.address} on {self.device}.")
        entry = [str(self.address), "dev", self.device]
        self.place.run([*ip, "delete", *entry])
        mac, state = shown[shown.index("lladdr") + 1], shown[-1].lower()
        return partial(self.place.run, [*ip, "replace", *entry, "lladdr", mac, "nud", state])


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourChanged:
    """A place believes something else of a neighbour: another hardware address, or another state."""

    place: Place
    device: str
    address: Address
    mac: str = ""
    """Empty: as it is."""
    state: str = "permanent"
    """As `ip neigh` names it; `failed` has no hardware address."""

    def apply(self) -> Mend:
        """The entry comes back as it was."""
        ip = ["ip", "neigh"]
        shown = self.place.run([*ip, "show", str(self.address), "dev", self.device]).split()
        if "lladdr" not in shown:
            raise LookupError(f"{self.place.title} does not know {self.address} on {self.device}.")
        mac, state = shown[shown.index("lladdr") + 1], shown[-1].lower()
        entry = [*ip, "replace", str(self.address), "dev", self.device]
        link = [] if self.state == "failed" else ["lladdr", self.mac or mac]
        self.place.run([*entry, *link, "nud", self.state])
        return partial(self.place.run, [*entry, "lladdr", mac, "nud", state])


@dataclass(frozen=True, slots=True, kw_only=True)
class FdbEntryChanged:
    """A tunnel believes that a hardware address is behind another host."""

    node: Place
    device: str
    destination: Address
    """The far end that its entry names."""
    wrong: Address
    """What it names now."""

    def apply(self) -> Mend:
        """The one entry for this far end."""
        entries = self.node.run(["bridge", "fdb", "show", "dev", self.device]).splitlines()
        (mac,) = {entry.split()[0] for entry in entries if f"dst {self.destination} " in entry}
        replace = ["bridge", "fdb", "replace", mac, "dev", self.device, "self", "permanent", "dst"]
        self.node.run([*replace, str(self.wrong)])
        return partial(self.node.run, [*replace, str(self.destination)])


@dataclass(frozen=True, slots=True, kw_only=True)
class HairpinOff:
    """A port of a bridge does not send frames back to whom they came from."""

    node: Place
    port: str

    def apply(self) -> Mend:
        """On again."""
        change = ["bridge", "link", "set", "dev", self.port, "hairpin"]
        self.node.run([*change, "off"])
        return partial(self.node.run, [*change, "on"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressAdded:
    """A place has one address more, which may be another's."""

    place: Place
    device: str
    address: Address

    def apply(self) -> Mend:
        """It goes again."""
        words = [f"{self.address}/{self.address.max_prefixlen}", "dev", self.device]
        self.place.run(["ip", "address", "add", *words])
        return partial(self.place.run, ["ip", "address", "delete", *words])


@dataclass(frozen=True, slots=True, kw_only=True)
class FdbEntryDeleted:
    """A tunnel or bridge no longer knows where a hardware address is."""

    node: Place
    device: str
    containing: str
    """What the entries' text contains: a MAC address, or a tunnel's far end."""

    def apply(self) -> Mend:
        """Every such entry."""
        entries = self.node.run(["bridge", "fdb", "show", "dev", self.device]).splitlines()
        chosen = [entry.split() for entry in entries if self.containing in entry and "permanent" in entry]
        if not chosen:
            raise LookupError(f"{self.node.title} has no FDB entry with {self.containing} on {self.device}.")
        self._each("del", chosen)
        return partial(self._each, "append", chosen)

    def _each(self, verb: str, entries: list[list[str]]) -> None:
        for mac, *words in entries:
            kept = [word for word in words if word not in ("permanent", "extern_learn")]
            self.node.run(["bridge", "fdb", verb, mac, "dev", self.device, *kept])


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongMtu:
    """A device takes only smaller packets."""

    place: Place
    device: str
    mtu: int

    def apply(self) -> Mend:
        """The old MTU comes back."""
        before = self.place.run(["cat", f"/sys/class/net/{self.device}/mtu"]).strip()
        change = ["ip", "link", "set", self.device, "mtu"]
        self.place.run([*change, str(self.mtu)])
        return partial(self.place.run, [*change, before])


@dataclass(frozen=True, slots=True, kw_only=True)
class SysctlSet:
    """A kernel parameter has another value."""

    place: Place
    name: str
    """A path below /proc/sys."""
    value: int | str

    def apply(self) -> Mend:
        """The old value comes back."""
        before = self.place.sysctl(self.name)
        self.place.set_sysctl(self.name, self.value)
        return partial(self.place.set_sysctl, self.name, before)

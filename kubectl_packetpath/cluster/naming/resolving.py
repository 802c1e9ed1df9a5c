"""A name as a program in a pod resolves it: every question, until one has an address.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address

from kubectl_packetpath.cluster.model import Cluster, Service
from kubectl_packetpath.cluster.naming.pods import ZONE
from kubectl_packetpath.cluster.naming.records import Answer, Code, answer
from kubectl_packetpath.cluster.naming.resolv import Candidate, Library, ResolvConf, candidates
from kubectl_packetpath.packet import Address

MOST_ALIASES = 7
"""CNAMEs that CoreDNS follows in one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One name that was asked for, and what came of it."""

    candidate: Candidate
    answers: tuple[Answer, ...]
    """The first is that of the name; the others are those of the aliases it leads to."""

    @property
    def last(self) -> Answer:
        """Where the aliases end."""
        return self.answers[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """All questions for one name."""

    name: str
    asked: tuple[Asked, ...]
    versions: tuple[int, ...] = (4, 6)

    @property
    def end(self) -> Asked | None:
        """The question that decides: the first with an address, else one whose answer is not seen, else the last."""
        found = [each for each in self.asked if each.last.addresses]
        unseen = [each for each in self.asked if each.last.code is Code.FORWARDED]
        return next(iter((*found, *unseen, *self.asked[-1:])), None)

    @property
    def code(self) -> Code:
        """How it ends: with addresses, without, or with other servers."""
        return self.end.last.code if self.end is not None else Code.FOUND

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What the program gets."""
        if self.end is None:
            return (ip_address(self.name.strip("[]")),)
        return tuple(each for each in self.end.last.addresses if each.version in self.versions)

    @property
    def service(self) -> Service | None:
        """The Service behind the name."""
        return self.end.last.service if self.end is not None else None

    @property
    def questions(self) -> int:
        """How many are sent, at most where not all answers are seen: A and AAAA are asked for apart."""
        return len(self.asked) * len(self.versions)

    @property
    def is_certain(self) -> bool:
        """Whether no question went to servers whose answers are not seen."""
        return all(each.last.code is not Code.FORWARDED for each in self.asked)


def resolve(
    name: str,
    conf: ResolvConf,
    cluster: Cluster,
    *,
    library: Library = Library.GLIBC,
    zone: str = ZONE,
) -> Resolution:
    """Ask for a name as a program does, both IP versions at once."""
    if _is_address(name):
        return Resolution(name=name, asked=())
    return Resolution(name=name, asked=tuple(_asked(name, conf, cluster, library, zone)))


def _asked(name: str, conf: ResolvConf, cluster: Cluster, library: Library, zone: str) -> Iterator[Asked]:
    unseen = False
    for candidate in candidates(name, conf, library):
        chain = tuple(_chain(candidate.name, cluster, zone))
        why = (
            f"{candidate.why}, and only if other servers do not know the name before"
            if unseen
            else candidate.why
        )
        yield Asked(candidate=replace(candidate, why=why), answers=chain)
        last = chain[-1]
        if last.addresses:
            return
        unseen = unseen or last.code is Code.FORWARDED
        if library is Library.MUSL and last.code is Code.NO_DATA:
            return


def _chain(name: str, cluster: Cluster, zone: str) -> Iterator[Answer]:
    """The answer, and those of the aliases that it leads to."""
    seen: list[str] = []
    while name and name not in seen and len(seen) <= MOST_ALIASES:
        seen.append(name)
        found = answer(name, cluster, zone)
        yield found
        name = found.alias


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

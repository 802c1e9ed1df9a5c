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
    cut: bool = False
    """There are more names than are told here, and none of these has an address."""

    @property
    def end(self) -> Asked | None:
        """The question that decides: the first with an address, else one whose answer is not seen, else the last."""
        found = [each for each in self.asked if each.last.addresses]
        unseen = [each for each in self.asked if each.last.code is Code.FORWARDED]
        return next(iter((*found, *unseen, *self.asked[-1:])), None)

    @property
    def code(self) -> Code:
        """How it ends: with addresses, without, or with other servers."""
        if self.end is None:
            return Code.FOUND if _is_address(self.name) else Code.NO_NAME
        return self.end.last.code

    @property
    def addresses(self) -> tuple[Address, ...]:
        """What the program gets."""
        if self.end is None:
            return (ip_address(self.name.strip("[]")),) if _is_address(self.name) else ()
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
        return not self.cut and all(each.last.code is not Code.FORWARDED for each in self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """By which library it is asked, and of whom."""

    library: Library = Library.GLIBC
    zone: str = ZONE
    """The cluster's domain."""
    foreign: str = ""
    """Why whoever is asked may not know the cluster's names; empty: it is the cluster's DNS."""


GLIBC = Manner()


def resolve(name: str, conf: ResolvConf, cluster: Cluster, manner: Manner = GLIBC) -> Resolution:
    """Ask for a name as a program does, both IP versions at once."""
    if _is_address(name):
        return Resolution(name=name, asked=())
    asked = tuple(_asked(name, conf, cluster, manner))
    return Resolution(
        name=name, asked=asked, cut=conf.search_cut and not (asked and asked[-1].last.addresses)
    )


def _asked(name: str, conf: ResolvConf, cluster: Cluster, manner: Manner) -> Iterator[Asked]:
    unseen = False
    for candidate in candidates(name, conf, manner.library):
        chain = tuple(_chain(candidate.name, cluster, manner))
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
        if manner.library is Library.MUSL and last.code is Code.NO_DATA:
            return


def _chain(name: str, cluster: Cluster, manner: Manner) -> Iterator[Answer]:
    """The answer, and those of the aliases that it leads to."""
    if manner.foreign:
        yield Answer(name=name, code=Code.FORWARDED, why=manner.foreign)
        return
    seen: list[str] = []
    while name and name not in seen and len(seen) <= MOST_ALIASES:
        seen.append(name)
        found = answer(name, cluster, manner.zone)
        yield found
        name = found.alias


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

"""The resolver's configuration, and the names that it asks for one after the other.

A short name is tried with each search domain before or after it is tried as it is: with ndots at 5, which is
Kubernetes' default for pods, nearly every name outside of the cluster costs several questions first.

Sources: resolv.conf(5), glibc resolv/res_query.c, musl src/network/lookup_name.c
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

MOST_NDOTS = 15


class Library(StrEnum):
    """The C library whose resolver a program uses."""

    GLIBC = "glibc"
    MUSL = "musl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvConf:
    """What /etc/resolv.conf says."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    attempts: int = 2
    timeout_seconds: int = 5
    options: tuple[str, ...] = ()
    """The others, as written."""

    @property
    def asked_servers(self) -> tuple[str, ...]:
        """Resolvers look at three."""
        return self.servers[:3]


def parse_resolv_conf(text: str) -> ResolvConf:
    """Read a file; the last `search` or `domain` line counts."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    numbers = {"ndots": 1, "attempts": 2, "timeout": 5}
    others: list[str] = []
    for line in text.splitlines():
        word, *values = line.split() or [""]
        if word == "nameserver" and values:
            servers.append(values[0])
        elif word in {"search", "domain"}:
            search = tuple(_bare(each) for each in values)
        elif word == "options":
            for each in values:
                name, _, value = each.partition(":")
                if name in numbers and value.isdigit():
                    numbers[name] = int(value)
                else:
                    others.append(each)
    return ResolvConf(
        servers=tuple(servers),
        search=tuple(each for each in search if each),
        ndots=min(numbers["ndots"], MOST_NDOTS),
        attempts=numbers["attempts"],
        timeout_seconds=numbers["timeout"],
        options=tuple(others),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A full name that is asked for."""

    name: str
    """Without a final dot."""
    why: str


def candidates(name: str, conf: ResolvConf, library: Library = Library.GLIBC) -> Iterator[Candidate]:
    """The names in the order in which they are asked for, until one has an address."""
    if name.endswith("."):
        yield Candidate(name=_bare(name), why="it ends with a dot, so nothing is added")
        return
    dots = name.count(".")
    as_it_is = Candidate(name=_bare(name), why=f"as it is: {_dots(dots)}, ndots is {conf.ndots}")
    first = dots >= conf.ndots
    if first:
        yield as_it_is
        if library is Library.MUSL:
            return
    for domain in conf.search:
        yield Candidate(name=f"{_bare(name)}.{domain}", why=f"with the search domain {domain}")
    if not first:
        yield as_it_is


def _dots(count: int) -> str:
    return f"{count} dot{'' if count == 1 else 's'}"


def _bare(name: str) -> str:
    return name.strip().rstrip(".").lower()

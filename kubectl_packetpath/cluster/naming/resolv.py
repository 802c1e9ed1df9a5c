"""The resolver's configuration as glibc and musl read it, and the names that they ask for one after the other.

A short name is tried with each search domain before or after it is tried as it is: with ndots at 5, which is
Kubernetes' default for pods, nearly every name outside of the cluster costs several questions first. The file belongs to
the pod, which may write anything into it: whatever stands there is read as far as the libraries would, and no further.

Sources: resolv.conf(5), glibc resolv/res_init.c and res_query.c, musl src/network/resolvconf.c and lookup_name.c
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

MOST_NDOTS = 15
MOST_SERVERS = 3
MOST_DOMAINS = 64
"""Search domains that are followed here; a kubelet writes 32 at most, and glibc itself has no limit since 2.26."""
MOST_LINE_BYTES = 254
"""Of a line that musl reads: longer ones it ignores."""
MOST_NAME, MOST_LABEL = 253, 63
NOBODY = "127.0.0.1"
"""Who is asked where the file names nobody."""
BLANKS = {"glibc": " \t", "musl": " \t\r\v\f"}
NUMBER = re.compile(r"[ \t\v\f\r]*([+-]?[0-9]+)")


class Library(StrEnum):
    """The C library whose resolver a program uses."""

    GLIBC = "glibc"
    MUSL = "musl"


MOST = {
    Library.GLIBC: {"ndots": MOST_NDOTS, "attempts": 5, "timeout": 30},
    Library.MUSL: {"ndots": MOST_NDOTS, "attempts": 10, "timeout": 60},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvConf:
    """What /etc/resolv.conf says, to one library."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    attempts: int = 2
    timeout_seconds: int = 5
    options: tuple[str, ...] = ()
    """The others, as written."""
    search_cut: bool = False
    """There are more search domains than are followed here."""

    @property
    def asked_servers(self) -> tuple[str, ...]:
        """Resolvers look at three, and ask the machine itself where there is none."""
        return self.servers[:MOST_SERVERS] or (NOBODY,)


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads a file line by line, as one library does."""

    library: Library
    servers: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=lambda: {"ndots": 1, "attempts": 2, "timeout": 5})
    others: dict[str, None] = field(default_factory=dict)

    def line(self, line: str) -> None:
        """A keyword at the very beginning, a blank, its values."""
        line = line.partition("\0")[0]
        musl = self.library is Library.MUSL
        if musl and len(line.encode("utf-8", "replace")) > MOST_LINE_BYTES:
            return
        blanks = BLANKS[self.library]
        word = re.match(r"nameserver|search|domain|options", line)
        if word is None or line[word.end() : word.end() + 1] not in {*blanks, *([""] if musl else [])}:
            return
        values = [each for each in re.split(f"[{blanks}]+", line[word.end() :]) if each]
        match word[0]:
            case "nameserver":
                self.server(values)
            case "options":
                self.options(line[word.end() :])
            case "domain" if not musl:
                self.search = values[:1] or self.search
            case _:
                self.search = values if values or musl else self.search

    def server(self, values: list[str]) -> None:
        """Only an address counts, and only three of them."""
        written = values[0] if values else ""
        if address := _address(written):
            self.servers.append(address)

    def options(self, rest: str) -> None:
        """What is no number is 0 to glibc; musl looks for its three anywhere in the line, and wants a digit there."""
        for word in re.finditer(r"[^ \t\r\v\f]+", rest):
            name, colon, _ = word[0].partition(":")
            if not colon or name not in self.numbers:
                self.others[word[0]] = None
            elif self.library is Library.GLIBC:
                found = NUMBER.match(rest, word.start() + len(name) + 1)
                self.numbers[name] = self.bounded(name, int(found[1][:20]) if found is not None else 0)
        for name in self.numbers if self.library is Library.MUSL else ():
            if found := re.match(r"[0-9]{1,20}", rest.partition(f"{name}:")[2]):
                self.numbers[name] = self.bounded(name, int(found[0]))

    def bounded(self, name: str, number: int) -> int:
        """Neither more than the library takes, nor below 0; glibc keeps ndots in four bits."""
        most = MOST[self.library][name]
        if number < 0:
            return number & MOST_NDOTS if name == "ndots" else 0
        return min(number, most)

    def conf(self) -> ResolvConf:
        """What was read."""
        search = tuple(bare for each in self.search if (bare := _bare(each.removeprefix("."))))
        return ResolvConf(
            servers=tuple(self.servers),
            search=search[:MOST_DOMAINS],
            ndots=self.numbers["ndots"],
            attempts=self.numbers["attempts"],
            timeout_seconds=self.numbers["timeout"],
            options=tuple(self.others),
            search_cut=len(search) > MOST_DOMAINS,
        )


def parse_resolv_conf(text: str, library: Library = Library.GLIBC) -> ResolvConf:
    """Read a file; the last `search` or `domain` line that says anything counts."""
    reader = _Reader(library=library)
    lines = iter(text.split("\n"))
    for line in lines:
        if library is Library.MUSL and "\0" in line:
            next(lines, None)  # it looks for the line's end behind the next one, and reads neither
        else:
            reader.line(line)
    return reader.conf()


def _address(written: str) -> str:
    """An address as it is usually written, from any way in which inet_aton(3) takes it; empty: it is none."""
    try:
        return str(ip_address(written))
    except ValueError:
        pass
    if ":" in written:
        try:
            return str(IPv6Address(written))
        except ValueError:
            return ""
    parts = written.split(".")
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", each) for each in parts):
        return ""
    try:
        numbers = [_number(each) for each in parts]
    except ValueError:
        return ""
    *front, last = numbers
    if any(each > 255 for each in front) or last >= 256 ** (5 - len(numbers)):
        return ""
    value = last + sum(each << (24 - 8 * place) for place, each in enumerate(front))
    return str(IPv4Address(value))


def _number(written: str) -> int:
    """Decimal, octal after a 0, hexadecimal after 0x."""
    if len(written) > 12:
        raise ValueError(written)
    if written[:2] in {"0x", "0X"}:
        return int(written, 16)
    return int(written, 8 if written.startswith("0") else 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A full name that is asked for."""

    name: str
    """Without a final dot."""
    why: str


def candidates(name: str, conf: ResolvConf, library: Library = Library.GLIBC) -> Iterator[Candidate]:
    """The names in the order in which they are asked for, until one has an address."""
    if name.endswith("."):
        if is_name(_bare(name)) and not name.endswith(".."):
            yield Candidate(name=_bare(name), why="it ends with a dot, so nothing is added")
        return
    dots = name.count(".")
    as_it_is = Candidate(name=_bare(name), why=f"as it is: {_dots(dots)}, ndots is {conf.ndots}")
    first = dots >= conf.ndots
    if first:
        yield from _askable(as_it_is)
        if library is Library.MUSL:
            return
    for domain in conf.search:
        one = Candidate(name=f"{_bare(name)}.{domain}", why=f"with the search domain {domain}")
        if not is_name(one.name) and library is Library.GLIBC:
            break  # what cannot be sent ends glibc's search
        yield from _askable(one)
    if not first and (
        dots or library is Library.MUSL or not conf.search or "no-tld-query" not in conf.options
    ):
        yield from _askable(as_it_is)


def _askable(candidate: Candidate) -> Iterator[Candidate]:
    if is_name(candidate.name):
        yield candidate


def is_name(name: str) -> bool:
    """Whether a question can hold it: no empty or long label, and not too long as a whole."""
    labels = name.split(".")
    return len(name) <= MOST_NAME and all(0 < len(each.encode()) <= MOST_LABEL for each in labels)


def _dots(count: int) -> str:
    return f"{count} dot{'' if count == 1 else 's'}"


def _bare(name: str) -> str:
    return name.strip(" \t\r\v\f").rstrip(".").lower()

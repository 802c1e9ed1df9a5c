"""Nftables through raw messages: base chains, one chain, one set, one element, or all of it.

The kernel finds a set by its name in a list, and for a dump walks that list once more, so reading the ten
thousand anonymous maps of a big ruleset costs it seconds: maps from 0, 1, 2, … (kube-proxy's choice by chance)
are asked for by their keys, and a question reads the few maps that its packet meets.

Kernel: net/netfilter/nf_tables_api.c, nfnetlink_hook.c
"""

import errno
import struct
from collections.abc import Iterable

from kubectl_packetpath.snapshot.absent import Absent, Section, Why
from kubectl_packetpath.snapshot.netlink import attribute, attribute_map, attributes, text
from kubectl_packetpath.snapshot.nftables import (
    NFPROTO_BRIDGE,
    NFPROTO_INET,
    NFPROTO_IPV4,
    NFPROTO_IPV6,
    NftChain,
    NftHook,
    NftLookup,
    NftObject,
    NftSet,
    NftTable,
    RegisteredHook,
)
from packetpath_agent.wire import NETLINK_NETFILTER, Netlink, again, name, nested, nf_generation, nf_message

SUBSYSTEM, HOOKS = 10, 12
GETTABLE, GETCHAIN, GETRULE, GETSET, GETSETELEM, GETGEN, GETOBJ = 1, 4, 7, 10, 13, 16, 19
RULES = nf_message(SUBSYSTEM, GETRULE)
CATCH_ALL = 2
ELEMENTS = 3
SET_FLAGS, SET_KEY_LENGTH, SET_DESCRIPTION, DESCRIBED_SIZE = 3, 5, 9, 1
ANONYMOUS, CONSTANT, INTERVAL = 1, 2, 4
MOST_KEYS = 32
"""The kernel answers each key with a message of its own, and all of them must fit into the socket."""
_HEAD = 4


class NftReader:
    """Reads the ruleset of the namespace in which it was made."""

    def __init__(self) -> None:
        self._wire = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Let the socket go."""
        self._wire.close()

    def generation(self) -> int:
        """The number of the ruleset: it rises with every change."""
        answer = self._wire.get(nf_message(SUBSYSTEM, GETGEN), nf_generation())
        return int.from_bytes(attribute_map(answer[0][1][_HEAD:])[1], "big")

    def _dump(self, message: int, family: int, payload: bytes = b"") -> list[tuple[int, bytes]]:
        """Family and attributes of each object."""
        wanted = nf_generation(family) + payload
        answers = again(lambda: self._wire.dump(nf_message(SUBSYSTEM, message), wanted))
        return [(body[0], body[_HEAD:]) for _, body in answers]

    def tables(self) -> tuple[NftTable, ...]:
        """All tables of all families."""
        found = []
        for family, body in self._dump(GETTABLE, 0):
            parts = attribute_map(body)
            flags = int.from_bytes(parts.get(2, b"\0"), "big")
            found.append(NftTable(family=family, name=text(parts[1]), flags=flags))
        return tuple(found)

    def chains(self) -> tuple[NftChain, ...]:
        """All chains, base chains with their hook; the rules are read one chain at a time."""
        return tuple(_chain(family, body) for family, body in self._dump(GETCHAIN, 0))

    def chain(self, family: int, table: str, chain: str) -> NftChain | None:
        """One chain without its rules."""
        wanted = nf_generation(family) + name(1, table) + name(3, chain)
        try:
            answer = self._wire.get(nf_message(SUBSYSTEM, GETCHAIN), wanted)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return _chain(answer[0][1][0], answer[0][1][_HEAD:])

    def rules(self, family: int, table: str, chain: str) -> tuple[bytes, ...]:
        """The rules of one chain, in order."""
        wanted = nf_generation(family) + name(1, table) + name(2, chain)
        return tuple([body[_HEAD:] for _, body in again(lambda: self._wire.dump(RULES, wanted))])

    def sets(self, family: int, table: str) -> tuple[NftSet, ...]:
        """The descriptions of all sets and maps of a table."""
        return tuple(_set(family, body) for family, body in self._dump(GETSET, family, name(1, table)))

    def set(self, family: int, table: str, which: str) -> NftSet | None:
        """One set or map, without its elements."""
        wanted = nf_generation(family) + name(1, table) + name(2, which)
        try:
            answer = self._wire.get(nf_message(SUBSYSTEM, GETSET), wanted)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return _set(answer[0][1][0], answer[0][1][_HEAD:])

    def elements(self, family: int, table: str, which: str) -> tuple[bytes, ...]:
        """All elements of a set or map."""
        payload = name(1, table) + name(2, which)
        return _elements(body for _, body in self._dump(GETSETELEM, family, payload))

    def all_of(self, each: NftSet) -> tuple[bytes, ...]:
        """All elements of a set or map whose description is known already."""
        size = _numbered(each.message)
        if size:
            try:
                return self._first_numbers(each, size)
            except OSError:
                pass  # its keys are others, or the answer is too long: then as any set
        return self.elements(each.family, each.table, each.name)

    def _first_numbers(self, each: NftSet, size: int) -> tuple[bytes, ...]:
        """The elements of 0 to size - 1: all that fit. Raises OSError (ENOENT: one is not there)."""
        keys = b"".join([nested(1, nested(1, attribute(1, struct.pack("=I", key)))) for key in range(size)])
        payload = nf_generation(each.family) + name(1, each.table) + name(2, each.name) + nested(3, keys)
        answers = self._wire.get(nf_message(SUBSYSTEM, GETSETELEM), payload)
        if len(answers) != size:
            raise OSError(errno.EAGAIN, "fewer elements than keys")
        return _elements(body[_HEAD:] for _, body in answers)

    def lookup(self, family: int, table: str, which: str, key: bytes) -> NftLookup:
        """The kernel's own answer for one key; raises OSError where it gives none for this kind of set."""
        found = self._element(family, table, which, nested(1, attribute(1, key)))
        if found is None:
            found = self._catch_all(family, table, which)
        return NftLookup(key=key, element=found)

    def _catch_all(self, family: int, table: str, which: str) -> bytes | None:
        """The element for all other keys, which the kernel does not give when asked for one of them."""
        try:
            return self._element(family, table, which, attribute(3, struct.pack("!I", CATCH_ALL)))
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
                return None
            raise

    def _element(self, family: int, table: str, which: str, wanted: bytes) -> bytes | None:
        payload = nf_generation(family) + name(1, table) + name(2, which) + nested(3, nested(1, wanted))
        try:
            answer = self._wire.get(nf_message(SUBSYSTEM, GETSETELEM), payload)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        listed = attribute_map(answer[0][1][_HEAD:]).get(3, b"")
        return next((element for _, element in attributes(listed)), None)

    def objects(self, family: int, table: str) -> tuple[NftObject, ...]:
        """All named objects of a table."""
        found = []
        for owner, body in self._dump(GETOBJ, family, name(1, table)):
            parts = attribute_map(body)
            found.append(
                NftObject(
                    family=owner,
                    table=text(parts[1]),
                    name=text(parts[2]),
                    type=int.from_bytes(parts[3], "big"),
                    message=body,
                )
            )
        return tuple(found)

    def hooks(self) -> Section[RegisteredHook]:
        """The functions at each hook, in calling order; Absent where the kernel does not tell."""
        found: list[RegisteredHook] = []
        for family in (NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_BRIDGE):
            for hook in range(5):
                payload = nf_generation(family) + attribute(1, struct.pack("!I", hook))
                try:
                    answers = again(lambda p=payload: self._wire.dump(nf_message(HOOKS, 0), p))  # type: ignore[misc]
                except OSError as error:
                    if error.errno == errno.EINVAL and found:
                        continue
                    if error.errno in {errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENOENT}:
                        return Absent(why=Why.NOT_LOADED, detail="the kernel lists no hooks")
                    raise
                found += (_hook(family, hook, body[_HEAD:]) for _, body in answers)
        return tuple(found)


def _elements(bodies: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(
        [element for body in bodies for _, element in attributes(attribute_map(body).get(ELEMENTS, b""))]
    )


def _numbered(message: bytes) -> int:
    """How many elements an anonymous set with keys of four bytes can hold; 0: it is another kind, or too big."""
    parts = attribute_map(message)
    flags = int.from_bytes(parts.get(SET_FLAGS, b""), "big")
    width = int.from_bytes(parts.get(SET_KEY_LENGTH, b""), "big")
    if flags & (ANONYMOUS | CONSTANT | INTERVAL) != ANONYMOUS | CONSTANT or width != 4:
        return 0
    size = int.from_bytes(attribute_map(parts.get(SET_DESCRIPTION, b"")).get(DESCRIBED_SIZE, b""), "big")
    return size if size <= MOST_KEYS else 0


def _chain(family: int, body: bytes) -> NftChain:
    parts = attribute_map(body)
    counters = attribute_map(parts[8]) if 8 in parts else {}
    return NftChain(
        family=family,
        table=text(parts[1]),
        name=text(parts[3]),
        handle=int.from_bytes(parts[2], "big"),
        hook=_base(parts) if 4 in parts else None,
        policy_packets=int.from_bytes(counters[2], "big") if 2 in counters else None,
        policy_bytes=int.from_bytes(counters[1], "big") if 1 in counters else None,
        rules=Absent(why=Why.NOT_ASKED),
    )


def _base(parts: dict[int, bytes]) -> NftHook:
    hook = attribute_map(parts[4])
    devices = [text(hook[3])] if 3 in hook else []
    if 4 in hook:
        devices += (text(value) for _, value in attributes(hook[4]))
    return NftHook(
        number=int.from_bytes(hook[1], "big"),
        priority=int.from_bytes(hook[2], "big", signed=True),
        type=text(parts[7]) if 7 in parts else "filter",
        policy=int.from_bytes(parts[5], "big") if 5 in parts else None,
        devices=tuple(devices),
    )


def _set(family: int, body: bytes) -> NftSet:
    parts = attribute_map(body)
    return NftSet(
        family=family,
        table=text(parts[1]),
        name=text(parts[2]),
        message=body,
        elements=Absent(why=Why.NOT_ASKED),
    )


def _hook(family: int, hook: int, body: bytes) -> RegisteredHook:
    parts = attribute_map(body)
    about = attribute_map(parts[6]) if 6 in parts else {}
    chain = attribute_map(about[1]) if 1 in about else {}
    return RegisteredHook(
        family=family,
        hook=hook,
        priority=int.from_bytes(parts[2], "big", signed=True),
        function=text(parts.get(4, b"")),
        module=text(parts.get(5, b"")),
        table=text(chain[1]) if 1 in chain else "",
        chain_family=chain[2][0] if 2 in chain else None,
        chain=text(chain[3]) if 3 in chain else "",
    )


__all__ = ["NFPROTO_INET", "NftReader"]

"""The blob of a legacy table, cut into its chains.

The kernel keeps a table as one run of entries; a jump names the offset of a chain's first rule. So a
chain is cut out without reading the others, which is what keeps a question about one Service cheap.

Kernel: include/uapi/linux/netfilter_ipv4/ip_tables.h, netfilter_ipv6/ip6_tables.h; net/ipv4/netfilter/ip_tables.c
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.snapshot.xtables import LegacyChain

HOOK_NAMES = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
"""Built-in chains by NF_INET_* number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLayout:
    """Where the fields stand that lead through a blob."""

    offsets_at: int
    """`target_offset` and `next_offset`, two 16 bit numbers."""
    header: int
    """Length of an entry before its first match."""

    @property
    def chain_head(self) -> int:
        """Length of the entry that names a user-defined chain (target ERROR)."""
        return self.header + 64


LAYOUTS = {4: EntryLayout(offsets_at=88, header=112), 6: EntryLayout(offsets_at=140, header=168)}
ERROR_TARGET = b"ERROR" + bytes(25)
_OFFSETS = struct.Struct("<HH")


class BlobError(ValueError):
    """The bytes are not the blob of a table."""


def entries(family: int, blob: bytes, offset: int = 0) -> Iterator[tuple[int, int]]:
    """Start and end of each entry from this offset on."""
    layout = LAYOUTS[family]
    unpack, at, least, size = _OFFSETS.unpack_from, layout.offsets_at, layout.header, len(blob)
    while offset < size:
        if offset + least > size:
            raise BlobError(f"an entry at {offset} is cut short")
        _, length = unpack(blob, offset + at)
        if length < least or offset + length > size:
            raise BlobError(f"an entry at {offset} says that it is {length} bytes long")
        yield offset, offset + length
        offset += length


def chain_name(family: int, blob: bytes, offset: int) -> str | None:
    """The name that the entry at this offset gives to the chain after it; None: it is a rule."""
    layout = LAYOUTS[family]
    if offset < 0 or offset + layout.chain_head > len(blob):
        return None
    if _OFFSETS.unpack_from(blob, offset + layout.offsets_at) != (layout.header, layout.chain_head):
        return None
    target = offset + layout.header
    if not blob.startswith(ERROR_TARGET[:6], target + 2):
        return None
    name = blob[target + 32 : target + 62]
    return name[: name.find(0)].decode("ascii", "backslashreplace")


def built_in(blob: bytes, hook_entry: tuple[int, ...]) -> dict[int, int]:
    """Offset of the first rule of each built-in chain, and its hook."""
    return {offset: hook for hook, offset in reversed(list(enumerate(hook_entry))) if 0 <= offset < len(blob)}


def index_blob(
    family: int, blob: bytes, hook_entry: tuple[int, ...], underflow: tuple[int, ...]
) -> dict[int, str]:
    """All chains of a table: the offset of the first rule, and the name; in the order of the blob.

    Hooks that the table does not have must be left out of `hook_entry` (-1, or past the end of the blob).
    """
    found = {offset: HOOK_NAMES[hook] for offset, hook in built_in(blob, hook_entry).items()}
    policies = {underflow[hook] for hook in built_in(blob, hook_entry).values()}
    layout = LAYOUTS[family]
    head, at, target = layout.chain_head, layout.offsets_at, layout.header
    expected, mark = _OFFSETS.pack(target, head), ERROR_TARGET[:6]
    starts = set()
    for start, end in entries(family, blob):
        starts.add(start)
        if blob[start + at : start + at + 4] != expected or not blob.startswith(mark, start + target + 2):
            continue
        name = chain_name(family, blob, start)
        if name is not None and end < len(blob):
            found[end] = name
    if not starts.issuperset(found) or not starts.issuperset(policies):
        raise BlobError("a hook starts or ends between two entries")
    return dict(sorted(found.items()))


def cut_chain(
    family: int, blob: bytes, offset: int, hook_entry: tuple[int, ...], underflow: tuple[int, ...]
) -> LegacyChain:
    """The chain whose first rule stands at this offset (a built-in one, or the target of a jump)."""
    hook = built_in(blob, hook_entry).get(offset)
    name = (
        HOOK_NAMES[hook]
        if hook is not None
        else chain_name(family, blob, offset - LAYOUTS[family].chain_head)
    )
    if name is None:
        raise BlobError(f"no chain starts at {offset}")
    last = underflow[hook] if hook is not None else None
    rules = []
    for start, end in entries(family, blob, offset):
        if last is None and chain_name(family, blob, start) is not None:
            break
        rules.append(blob[start:end])
        if start == last:
            break
    if not rules:
        raise BlobError(f"the chain at {offset} has no end")
    return LegacyChain(name=name, offset=offset, hook=hook, rules=tuple(rules))

"""The compressed form of a recording, parts of which may be squeezed where they arise.

A big ruleset is squeezed piece by piece while it is read, by several threads, so that it is never in memory
as a whole; the pieces then stand in the recording's one stream as they are.

Format: RFC 1950 and 1951; after a full flush the compressed bytes end at a byte and refer to nothing before.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_BASE = 65521
_RAW = -15
_HEAD = b"\x78\x01"
LEVEL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Squeezed:
    """So many records, in the bytes that they have in a recording."""

    count: int
    data: bytes
    size: int
    """How many bytes they were."""
    checksum: int


def squeezed(pieces: Iterable[bytes], count: int) -> Squeezed:
    """The records that these bytes are."""
    raw = b"".join(pieces)
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    data = deflate.compress(raw) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Squeezed(count=count, data=data, size=len(raw), checksum=zlib.adler32(raw))


def stream(pieces: Iterable[bytes | Squeezed]) -> bytes:
    """All of it as one zlib stream."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    written, checksum = [_HEAD], 1
    for piece in pieces:
        if isinstance(piece, Squeezed):
            written += (deflate.flush(zlib.Z_FULL_FLUSH), piece.data)
            checksum = _joined(checksum, piece.checksum, piece.size)
        else:
            written.append(deflate.compress(piece))
            checksum = zlib.adler32(piece, checksum)
    return b"".join((*written, deflate.flush(), checksum.to_bytes(4, "big")))


def _joined(first: int, second: int, size: int) -> int:
    """The checksum of two runs of bytes, the second of this size, from those of each."""
    low, high = first & 0xFFFF, first >> 16
    return (high + (second >> 16) + size * (low - 1)) % _BASE << 16 | (low + (second & 0xFFFF) - 1) % _BASE

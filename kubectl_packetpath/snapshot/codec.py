"""Bytes to dataclasses and back: strict, bounded, and behind this file alone.

Whoever reads a recording trusts nothing in it: a stray key, a missing one or a value of the wrong type is
an error with one sentence, and a small file cannot unfold into the whole memory.
"""

import dataclasses
import types
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec.msgpack

from kubectl_packetpath.snapshot import SCHEMA, NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.conntrack import Conntrack
from kubectl_packetpath.snapshot.ipvs import IpvsTable
from kubectl_packetpath.snapshot.migrate import migrated
from kubectl_packetpath.snapshot.nftables import Nftables
from kubectl_packetpath.snapshot.squeeze import Squeezed, squeezed, stream
from kubectl_packetpath.snapshot.xtables import LegacyTable

T = TypeVar("T")
MAGIC = b"PPSNAP\x00"
LARGEST_BYTES = 1 << 30
SMALL_BYTES, MOST_UNFOLDED = 1 << 24, 256
"""What any recording may unfold to, and how many times its size a bigger one may: rules repeat themselves 40 times."""
_ADDRESSES = (IPv4Address, IPv6Address)
_NETWORKS = (IPv4Network, IPv6Network)
_BIG = (Snapshot, NetworkNamespace, Nftables, Conntrack, LegacyTable, IpvsTable)
"""They hold tables of unbounded size."""
_SCALARS = (str, int, float, bool, bytes)
_AS_IT_IS = frozenset((type(None), *_SCALARS))

Convert = Callable[[Any], Any]


class RecordingError(ValueError):
    """These bytes are not a recording that this version can read; the message is for people."""


def encode(snapshot: Snapshot) -> bytes:
    """A snapshot as the bytes of a file or a frame."""
    return MAGIC + bytes([SCHEMA]) + encode_value(snapshot)


def decode(data: bytes) -> Snapshot:
    """The snapshot in these bytes; raises `RecordingError`."""
    if not data.startswith(MAGIC) or len(data) <= len(MAGIC):
        raise RecordingError("this is not a packetpath snapshot")
    schema = data[len(MAGIC)]
    if schema == 0:
        raise RecordingError("this is not a packetpath snapshot")
    if schema > SCHEMA:
        raise RecordingError(
            f"this snapshot was made by a newer packetpath (schema {schema}, this one reads {SCHEMA}): update it"
        )
    plain = _unpacked(memoryview(data)[len(MAGIC) + 1 :])
    try:
        plain = migrated(plain, schema)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise RecordingError(f"the recording does not fit its schema ({schema}): {error}") from None
    return cast("Snapshot", _checked(Snapshot, plain))


def encode_value(value: Any) -> bytes:
    """Any dataclass of the contract, compressed."""
    return stream(_pieces(value))


def squeeze(records: Sequence[Any]) -> Squeezed:
    """These records as they will stand in a recording: a field that is a tuple of such holds all of theirs."""
    return squeezed((piece for each in records for piece in _pieces(each)), len(records))  # type: ignore[misc]


def _pieces(value: Any) -> Iterator[bytes | Squeezed]:
    """The value as msgpack, part after part: the tables of a node are never in memory twice."""
    if isinstance(value, _BIG):
        fields = _told(value)
        yield _msgpack_head(len(fields) + 1, small=0x80, large=0xDE)
        for name, own in fields:
            yield msgspec.msgpack.encode(name)
            yield from _pieces(own)
        yield msgspec.msgpack.encode("_") + msgspec.msgpack.encode(type(value).__name__)
    elif type(value) is tuple and value and type(value[0]) is Squeezed:
        yield _msgpack_head(sum(each.count for each in value), small=0x90, large=0xDC)
        yield from value
    elif type(value) is tuple and value and dataclasses.is_dataclass(value[0]):
        yield _msgpack_head(len(value), small=0x90, large=0xDC)
        for each in value:
            yield from _pieces(each)
    elif type(value) is bytes and len(value) < 1 << 32:
        yield b"\xc6" + len(value).to_bytes(4, "big")
        yield value
    else:
        yield msgspec.msgpack.encode(_plain(value))


def _msgpack_head(count: int, *, small: int, large: int) -> bytes:
    """How a map or a list of so many members begins."""
    if count < 16:
        return bytes([small | count])
    return (
        bytes([large]) + count.to_bytes(2, "big")
        if count < 1 << 16
        else bytes([large + 1]) + count.to_bytes(4, "big")
    )


def _told(value: Any) -> list[tuple[str, Any]]:
    """The fields that are not what they are by default."""
    return [
        (name, own)
        for name, default in _defaults(value.__class__)
        if (own := getattr(value, name)) is not default
    ]


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in dataclasses.fields(kind))


def decode_value(kind: type[T], data: bytes) -> T:
    """The dataclass of this kind in these bytes; raises `RecordingError`."""
    return cast("T", _checked(kind, _unpacked(data)))


def _unpacked(data: bytes | memoryview) -> Any:
    inflate = zlib.decompressobj()
    most = min(LARGEST_BYTES, max(SMALL_BYTES, MOST_UNFOLDED * len(data)))
    try:
        raw = inflate.decompress(data, most)
    except zlib.error as error:
        raise RecordingError(f"the recording is damaged ({error})") from None
    if inflate.unconsumed_tail:
        raise RecordingError(f"the recording unfolds to more than {most >> 20} MiB")
    if not inflate.eof:
        raise RecordingError("the recording is cut off")
    try:
        return msgspec.msgpack.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordingError(f"the recording is damaged ({error})") from None


def _checked(kind: Any, plain: Any) -> Any:
    try:
        return _reader(kind)(plain)
    except RecursionError:
        raise RecordingError("the recording is nested too deeply") from None
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise RecordingError(f"the recording does not fit its description: {error}") from None


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if kind is tuple or kind is list:
        if value and type(value[0]) is bytes:
            return value
        return [_plain(each) for each in value]
    if dataclasses.is_dataclass(kind):
        record = {name: own if type(own) in _AS_IT_IS else _plain(own) for name, own in _told(value)}
        record["_"] = kind.__name__
        return record
    if kind in _ADDRESSES or kind in _NETWORKS or isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Fraction):
        return [value.numerator, value.denominator]
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(each)] for key, each in value.items()]
    raise TypeError(f"{kind.__name__} has no place in a recording")


@cache
def _reader(kind: Any) -> Convert:
    if kind is Any:
        return lambda value: value
    if kind in _SCALARS:
        return _scalar(kind)
    if kind is type(None):
        return _nothing
    if isinstance(kind, type):
        return _reader_of_class(kind)
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _union(get_args(kind))
    if origin is tuple:
        return _tuple(get_args(kind))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(get_args(kind))
    raise TypeError(f"{kind} has no place in a recording")


def _reader_of_class(kind: type) -> Convert:
    if kind in _ADDRESSES:
        return lambda value: _of(kind, ip_address(_text(value)))
    if kind in _NETWORKS:
        return lambda value: _of(kind, ip_network(_text(value)))
    if kind is Fraction:
        return lambda value: Fraction(int(value[0]), int(value[1]))
    if issubclass(kind, StrEnum):
        return lambda value: kind(_text(value))
    if issubclass(kind, int):
        return lambda value: kind(_scalar(int)(value))
    if dataclasses.is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"{kind.__name__} has no place in a recording")


def _scalar(kind: type) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{type(value).__name__} where {kind.__name__} belongs")
        return value

    return read


def _nothing(value: Any) -> None:
    if value is not None:
        raise TypeError("a value where none belongs")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{type(value).__name__} where an address belongs")
    return value


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value} is no {kind.__name__}")
    return value


def _record(kind: type) -> Convert:
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    needed = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    readers: dict[str, Convert] = {}

    def read(value: Any) -> Any:
        if type(value) is not dict or value.get("_") != kind.__name__:
            raise TypeError(f"something else where {kind.__name__} belongs")
        if not readers:
            readers.update({name: _reader(hints[name]) for name in fields})
        stray = value.keys() - fields.keys() - {"_"}
        missing = needed - value.keys()
        if stray or missing:
            words = [f"unknown {', '.join(sorted(map(str, stray)))}"] if stray else []
            words += [f"without {', '.join(sorted(missing))}"] if missing else []
            raise ValueError(f"{kind.__name__} {' and '.join(words)}")
        return kind(**{name: readers[name](each) for name, each in value.items() if name != "_"})

    return read


def _tuple(arguments: tuple[Any, ...]) -> Convert:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        inner = arguments[0]

        def read_all(value: Any) -> Any:
            if type(value) is not list:
                raise TypeError(f"{type(value).__name__} where a list belongs")
            if inner is bytes:
                if not set(map(type, value)) <= {bytes}:
                    raise TypeError("something else where bytes belong")
                return tuple(value)
            return tuple(map(_reader(inner), value))

        return read_all

    def read_each(value: Any) -> Any:
        if type(value) is not list or len(value) != len(arguments):
            raise TypeError(f"not a list of {len(arguments)}")
        return tuple(_reader(kind)(each) for kind, each in zip(arguments, value, strict=True))

    return read_each


def _mapping(arguments: tuple[Any, ...]) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise TypeError("something else where a mapping belongs")
        key, inner = (_reader(each) for each in arguments)
        return {key(pair[0]): inner(pair[1]) for pair in value}

    return read


def _union(kinds: tuple[Any, ...]) -> Convert:
    by_name = {
        kind.__name__: kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }
    others = [kind for kind in kinds if kind not in by_name.values() and kind is not type(None)]
    optional = type(None) in kinds

    def read(value: Any) -> Any:
        if value is None and optional:
            return None
        if type(value) is dict and value.get("_") in by_name:
            return _reader(by_name[value["_"]])(value)
        problem: Exception = TypeError("nothing that belongs here")
        for kind in others:
            try:
                return _reader(kind)(value)
            except (TypeError, ValueError) as error:
                problem = error
        raise problem

    return read

"""Reads fields of Kubernetes' JSON without trusting their types: what is missing or malformed is left out."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from kubectl_packetpath.packet import Address

Json = Mapping[str, Any]


def part(given: Json, key: str) -> Json:
    """An object inside."""
    found = given.get(key)
    return found if isinstance(found, Mapping) else {}


def rows(given: Json, key: str) -> list[Json]:
    """A list of objects."""
    found = given.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def text(given: Json, key: str) -> str:
    """A text; empty: none."""
    found = given.get(key)
    return found if isinstance(found, str) else ""


def optional_text(given: Json, key: str) -> str | None:
    """A text, or None where an empty one says something else than none."""
    found = given.get(key)
    return found if isinstance(found, str) else None


def number(given: Json, key: str) -> int | None:
    """A number."""
    found = given.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def texts(given: Json, key: str) -> tuple[str, ...]:
    """A list of texts."""
    found = given.get(key)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def pairs(given: Any) -> tuple[tuple[str, str], ...]:
    """Labels, annotations and their like, sorted."""
    return tuple(sorted((str(k), str(v)) for k, v in given.items())) if isinstance(given, Mapping) else ()


def addresses(listed: Iterable[Any] | None) -> Iterator[Address]:
    """Those that are IP addresses."""
    for each in listed or ():
        try:
            yield ip_address(str(each))
        except ValueError:
            continue

"""The elements of an anonymous set or map, as `nft list ruleset` prints them."""

from ipaddress import summarize_address_range

from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.nftables import NftChain
from kubectl_packetpath.snapshot.nftables_messages import (
    ELEMENT_CATCH_ALL,
    ELEMENT_INTERVAL_END,
    SET_INTERVAL,
    Element,
    SetDescription,
    read_element,
)
from kubectl_packetpath.snapshot.state import NamespaceState
from kubectl_packetpath.walk.nftables.sentence import Term
from kubectl_packetpath.walk.nftables.values import (
    HOST_ORDER,
    SIZES,
    data_words,
    parts,
    quoted,
    set_types,
    value_words,
    verdict_words,
)

MOST_ELEMENTS = 4096


def set_words(state: NamespaceState, chain: NftChain, described: SetDescription, key: Term) -> str:
    """`{ 10.0.0.1, 10.0.0.2 }`."""
    listed = state.nft_elements(chain.family, chain.table, described.name)
    if isinstance(listed, Absent):
        return "{ … }"
    elements = [read_element(element) for element in listed[:MOST_ELEMENTS]]
    kinds = key.kinds if key.kinds != ("integer",) else set_types(described.key_type) or key.kinds
    if described.flags & SET_INTERVAL and not any(element.key_end for element in elements):
        spans = _intervals(elements)
    else:
        spans = sorted(
            ((element, element.key_end) for element in elements), key=lambda span: _order(span[0], kinds)
        )
    texts = [_element(span, kinds, set_types(described.data_type)) for span in spans]
    dots = ", …" if len(listed) > MOST_ELEMENTS else ""
    return f"{{ {', '.join(texts)}{dots} }}"


def _order(element: Element, kinds: tuple[str, ...]) -> int:
    """Nft sorts a concatenation as one number whose last byte counts most."""
    if element.key is None:
        return 1 << 600
    if len(kinds) > 1:
        return int.from_bytes(b"".join(parts(kinds, element.key)), "little")
    return int.from_bytes(element.key, "little" if kinds[0] in HOST_ORDER or kinds[0] == "integer" else "big")


def _intervals(elements: list[Element]) -> list[tuple[Element, bytes | None]]:
    """Starts and ends are elements of their own: pair them."""
    starts = [e for e in elements if e.key is not None and not e.flags & ELEMENT_INTERVAL_END]
    ends = sorted(e.key for e in elements if e.key is not None and e.flags & ELEMENT_INTERVAL_END)
    catch_all = [e for e in elements if e.flags & ELEMENT_CATCH_ALL]
    spans: list[tuple[Element, bytes | None]] = []
    for start in sorted(starts, key=lambda e: e.key or b""):
        key = start.key or b""
        following = next((end for end in ends if end > key), None)
        if following is None:
            spans.append((start, b"\xff" * len(key)))
        else:
            last = int.from_bytes(following, "big") - 1
            spans.append((start, last.to_bytes(len(key), "big")))
    return spans + [(each, None) for each in catch_all]


def _element(span: tuple[Element, bytes | None], kinds: tuple[str, ...], gives: tuple[str, ...]) -> str:
    element, last = span
    text = "*" if element.key is None else _span(kinds, element.key, last)
    if element.comment:
        text += f" comment {quoted(element.comment)}"
    if element.verdict is not None:
        return f"{text} : {verdict_words(element.verdict)}"
    return text if element.value is None else f"{text} : {_given(gives, element.value)}"


def _given(kinds: tuple[str, ...], value: bytes) -> str:
    """A map may give a range: first and last one behind the other."""
    size = SIZES.get(kinds[0], 0) if len(kinds) == 1 else 0
    if size and len(value) == 2 * ((size + 3) & ~3):
        return _span(kinds, value[:size], value[len(value) // 2 :][:size])
    return data_words(kinds, value)


def _span(kinds: tuple[str, ...], first: bytes, last: bytes | None) -> str:
    if last is None or first == last:
        return data_words(kinds, first)
    if len(kinds) > 1:
        pairs = zip(kinds, parts(kinds, first), parts(kinds, last), strict=True)
        return " . ".join(_span((kind,), one, other) for kind, one, other in pairs)
    kind = kinds[0]
    if kind in {"ipv4_addr", "ipv6_addr"}:
        return _network(first, last)
    return f"{value_words(kind, first)}-{value_words(kind, last)}"


def _network(first: bytes, last: bytes) -> str:
    from ipaddress import ip_address  # noqa: PLC0415 - beside its only use

    one: Address = ip_address(first)
    other: Address = ip_address(last)
    networks = list(summarize_address_range(one, other))
    return str(networks[0]) if len(networks) == 1 else f"{one}-{other}"

"""Targets of NAT statements, as nft prints them."""

from kubectl_packetpath.walk.nftables.sentence import Sentence

RANDOM, PERSISTENT, FULLY_RANDOM = 0x4, 0x8, 0x10


def target_words(
    sentence: Sentence, address: tuple[int, int] | None, port: tuple[int, int] | None, kind: str
) -> tuple[str, bool]:
    """`10.0.0.1:80`, and whether a map gives address and port together."""
    if address is not None and port is not None and _one_map(sentence, address[0], port[0]):
        return sentence.term(address[0]).text, True
    text = "" if address is None else _span(sentence, address, kind)
    if port is None:
        return text, False
    if kind == "ipv6_addr" and address is not None:
        first, dash, last = text.partition("-")
        text = f"[{first}]-[{last}]" if dash else f"[{text}]"
    return f"{text}:{_span(sentence, port, 'inet_service')}", False


def _one_map(sentence: Sentence, address: int, port: int) -> bool:
    """The port stands right behind the address, in what one map gave."""
    whole = sentence.terms.get(address)
    return whole is not None and whole.value is None and port not in sentence.terms and len(whole.kinds) > 1


def _span(sentence: Sentence, slots: tuple[int, int], kind: str) -> str:
    first = sentence.constant(slots[0], kind) or sentence.term(slots[0]).text
    if slots[0] == slots[1] or slots[1] not in sentence.terms:
        return first
    last = sentence.constant(slots[1], kind) or sentence.term(slots[1]).text
    return first if last == first else f"{first}-{last}"


def flag_words(flags: int) -> str:
    """` fully-random`."""
    names = {RANDOM: "random", FULLY_RANDOM: "fully-random", PERSISTENT: "persistent"}
    set_ = [text for bit, text in names.items() if flags & bit]
    return f" {','.join(set_)}" if set_ else ""

"""Looks a key up in a set, or in a map that gives a value or a verdict.

Where chance chooses the key (`numgen random mod 3 map { … }`), every element becomes a way of its own,
with the share of the numbers that lead to it.

Kernel: net/netfilter/nft_lookup.c
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.nftables_messages import (
    SET_ANONYMOUS,
    SET_INTERVAL,
    Element,
    SetDescription,
    Verdict,
    read_element,
    read_set,
)
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Choice, DoubtError, Undecided, slot_of
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Fork, Scene, Way
from kubectl_packetpath.walk.nftables.sentence import Sentence, Term
from kubectl_packetpath.walk.nftables.set_words import set_words
from kubectl_packetpath.walk.nftables.values import set_types

SET, SREG, DREG, FLAGS = 1, 2, 3, 5
INVERT = 0x1
COUNTING = {"counter", "last"}
MOST_POSSIBLE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Which set, where the key stands, where the value goes."""

    name: str
    source: int
    to: int | None
    """None: there is no value; 0 for a verdict, else a slot."""
    gives_verdict: bool
    invert: bool


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    register = fields.number(DREG) if DREG in fields else None
    return Spec(
        name=fields.text(SET),
        source=fields.slot(SREG),
        to=slot_of(register) if register else None,
        gives_verdict=register == 0,
        invert=bool(fields.number(FLAGS, 0) & INVERT),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """The element decides."""
    chain, state = scene.chain, scene.here.state
    found = state.nft_set(chain.family, chain.table, spec.name)
    if isinstance(found, Absent):
        return Undecided(f"set {spec.name} could not be read ({found.detail or found.why.value})")
    described = read_set(found.message)
    try:
        key = scene.registers.read(spec.source, described.key_length)
    except DoubtError as error:
        return _of_doubt(spec, scene, described, error)
    return _apply(spec, scene, find(scene, spec.name, key))


def find(scene: Scene, name: str, key: bytes) -> Element | Undecided | None:
    """What the kernel finds for a key."""
    answer = scene.here.state.nft_lookup(scene.chain.family, scene.chain.table, name, key)
    if isinstance(answer, Absent):
        return Undecided(f"set {name} could not be asked ({answer.detail or answer.why.value})")
    return None if answer.element is None else read_element(answer.element)


def _apply(spec: Spec, scene: Scene, element: Element | Undecided | None) -> Answer:
    if isinstance(element, Undecided):
        return element
    if (element is not None) == spec.invert:
        return BREAK
    if element is None:
        return GO_ON
    doubtful = next((each.name for each in element.expressions if each.name not in COUNTING), None)
    if doubtful is not None:
        return Undecided(f'the element\'s "{doubtful}" depends on earlier packets')
    if spec.gives_verdict:
        return element.verdict or BREAK
    if spec.to is not None:
        scene.registers.write(spec.to, element.value or b"")
    return GO_ON


def _of_doubt(spec: Spec, scene: Scene, described: SetDescription, error: DoubtError) -> Answer:
    """Chance or ignorance chooses the key."""
    doubt = error.doubt
    if isinstance(doubt, Undecided):
        return _all_possible(spec, scene, described, doubt)
    if described.key_length > 4 or described.flags & SET_INTERVAL:
        raise error
    elements = _elements(spec, scene)
    if isinstance(elements, Undecided):
        return elements
    return Fork(tuple(_ways(spec, scene, doubt, elements)))


def _elements(spec: Spec, scene: Scene) -> tuple[Element, ...] | Undecided:
    listed = scene.here.state.nft_elements(scene.chain.family, scene.chain.table, spec.name)
    if isinstance(listed, Absent):
        return Undecided(f"set {spec.name} could not be read ({listed.detail or listed.why.value})")
    return tuple(read_element(element) for element in listed)


def _ways(spec: Spec, scene: Scene, doubt: Choice, elements: tuple[Element, ...]) -> Iterator[Way]:
    """One way per element; the numbers that no element has share one."""
    known = {element.key: element for element in elements if element.key is not None}
    other = next((element for element in elements if element.key is None), None)
    size = len(next(iter(known), b"") or b"") or 4
    groups: dict[int, list[int]] = defaultdict(list)
    chosen: dict[int, Element | None] = {}
    for number in doubt.numbers:
        element = known.get(doubt.bytes_of(number)[:size], other)
        groups[id(element)].append(number)
        chosen[id(element)] = element
    for which, numbers in groups.items():
        branch = scene.copy(doubt.share(len(numbers)))
        branch.registers.write(spec.source, doubt.among(numbers), 4)
        yield Way(branch, _apply(spec, branch, chosen[which]))


def _all_possible(spec: Spec, scene: Scene, described: SetDescription, doubt: Undecided) -> Answer:
    """Every element that agrees with what is known of the key is possible, and none of them."""
    elements = _elements(spec, scene)
    if isinstance(elements, Undecided):
        return elements
    known = _known_key(spec, scene, described)
    elements = tuple(each for each in elements if _may_be(each, known, described))
    if not elements:
        return _apply(spec, scene, None)
    if not spec.gives_verdict and spec.to is None:
        return Undecided(doubt.reason)
    different: dict[Verdict | bytes | None, Element] = {each.verdict or each.value: each for each in elements}
    if len(different) > MOST_POSSIBLE:
        return Undecided(f"{doubt.reason}, and map {spec.name} has {len(different)} different values")
    ways = []
    for element in different.values():
        branch = scene.copy(None)
        branch.assume(f"{doubt.reason}; taken to find one of the elements")
        ways.append(Way(branch, _apply(spec, branch, element)))
    without = scene.copy(None)
    without.assume(f"{doubt.reason}; taken to find no element")
    return Fork((*ways, Way(without, BREAK)))


def _known_key(spec: Spec, scene: Scene, described: SetDescription) -> dict[int, bytes]:
    """The registers of the key that hold something known, by their place in it."""
    known = {}
    for offset in range(0, described.key_length, 4):
        try:
            known[offset] = scene.registers.read(spec.source + offset // 4, 4)
        except DoubtError:
            continue
    return known


def _may_be(element: Element, known: dict[int, bytes], described: SetDescription) -> bool:
    """Whether the element agrees with the known part; where that is hard to say, it may."""
    if element.key is None or (described.flags & SET_INTERVAL and not described.fields):
        return True
    if element.key_end is None:
        return all(
            element.key[at : at + 4] == value for at, value in known.items() if at + 4 <= len(element.key)
        )
    place = 0
    for length in described.fields:
        width = (length + 3) & ~3
        if all(at in known for at in range(place, place + width, 4)):
            value = b"".join(known[at] for at in range(place, place + width, 4))
            if not element.key[place : place + width] <= value <= element.key_end[place : place + width]:
                return False
        place += width
    return True


def words(spec: Spec, sentence: Sentence) -> None:
    """`ip daddr @cluster-ips`, `… vmap @service-ips`, `… map { 0 : 10.0.0.1 . 80 }`."""
    chain = sentence.chain
    found = sentence.state.nft_set(chain.family, chain.table, spec.name)
    if isinstance(found, Absent):
        sentence.say(f"[set {spec.name} could not be read]")
        return
    described = read_set(found.message)
    key = sentence.term(spec.source, described.key_length)
    if described.flags & SET_ANONYMOUS:
        text = set_words(sentence.state, chain, described, key)
    else:
        text = f"@{spec.name}"
    if spec.to is not None:
        kinds = set_types(described.data_type)
        whole = Term(text=f"{key.text} map {text}", kinds=kinds, size=described.data_length)
        sentence.load(spec.to, whole)
        return
    between = "vmap " if spec.gives_verdict else "!= " if spec.invert else ""
    sentence.say(f"{key.text} {between}{text}")


KIND = Kind(name="lookup", unpack=unpack, run=run, words=words)

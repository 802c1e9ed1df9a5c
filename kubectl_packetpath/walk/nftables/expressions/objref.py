"""Applies a named object: a counter, a quota, a limit, a ct helper and the like.

Kernel: net/netfilter/nft_objref.c
"""

from dataclasses import dataclass

from kubectl_packetpath.snapshot.absent import Absent
from kubectl_packetpath.snapshot.netlink import attribute_map
from kubectl_packetpath.snapshot.nftables_messages import read_set
from kubectl_packetpath.walk.here import go_on, unknown
from kubectl_packetpath.walk.nftables.expressions import quota
from kubectl_packetpath.walk.nftables.expressions.lookup import find
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.registers import Undecided
from kubectl_packetpath.walk.nftables.scene import BREAK, GO_ON, Answer, Ends, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence
from kubectl_packetpath.walk.nftables.set_words import set_words
from kubectl_packetpath.walk.nftables.values import quoted

TYPE, NAME, SET_SREG, SET_NAME = 1, 2, 3, 4
COUNTER, QUOTA, LIMIT, CONNLIMIT, SYNPROXY = 1, 2, 4, 5, 10
NAMES = {
    1: "counter", 2: "quota", 3: "ct helper", 4: "limit", 5: "ct count", 7: "ct timeout", 8: "meta secmark",
    9: "ct expectation", 10: "synproxy",
}  # fmt: skip
NFTA_OBJ_DATA = 4
NFTA_SET_OBJECT_TYPE = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The object, or the map that names it."""

    type: int
    name: str
    source: int | None
    map: str


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        type=fields.number(TYPE, 0),
        name=fields.text(NAME, ""),
        source=fields.slot_or_none(SET_SREG),
        map=fields.text(SET_NAME, ""),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """Counters, helpers and time-outs leave the packet's way alone; limits do not."""
    if spec.source is None:
        return _apply(spec.type, spec.name, scene)
    chain = scene.chain
    found = scene.here.state.nft_set(chain.family, chain.table, spec.map)
    if isinstance(found, Absent):
        return Undecided(f"map {spec.map} could not be read")
    described = read_set(found.message)
    element = find(scene, spec.map, scene.registers.read(spec.source, described.key_length))
    if element is None:
        return BREAK
    if isinstance(element, Undecided):
        return element
    kind = int.from_bytes(attribute_map(found.message).get(NFTA_SET_OBJECT_TYPE, b""), "big")
    return _apply(kind, element.object, scene)


def _apply(kind: int, name: str, scene: Scene) -> Answer:
    if kind == QUOTA:
        found = scene.here.state.nft_object(scene.chain.family, scene.chain.table, QUOTA, name)
        if not isinstance(found, Absent) and (data := attribute_map(found.message).get(NFTA_OBJ_DATA)):
            return quota.run(quota.unpack(data), scene)
    if kind in {QUOTA, LIMIT, CONNLIMIT}:
        return Undecided(f'{NAMES[kind]} "{name}" depends on earlier packets')
    if kind == SYNPROXY:
        text = f'{scene.place}: synproxy "{name}" answers the connection itself'
        return Ends((unknown(go_on(scene.packet, scene.history), text, scene.because),))
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`counter name "x"`, `ct helper set "x"`."""
    name = NAMES.get(spec.type, f"object {spec.type}")
    set_ = " set" if name.startswith(("ct ", "meta ")) and name != "ct count" else " name"
    if spec.source is None:
        sentence.say(f"{name}{set_} {quoted(spec.name)}")
        return
    found = sentence.state.nft_set(sentence.chain.family, sentence.chain.table, spec.map)
    text = f"@{spec.map}"
    if not isinstance(found, Absent):
        described = read_set(found.message)
        kind = int.from_bytes(attribute_map(found.message).get(NFTA_SET_OBJECT_TYPE, b""), "big")
        name = NAMES.get(kind, f"object {kind}")
        key = sentence.term(spec.source, described.key_length)
        if described.flags & 1:
            text = set_words(sentence.state, sentence.chain, described, key)
        sentence.say(f"{name} name {key.text} map {text}")
        return
    sentence.say(f"{name} name map {text}")


KIND = Kind(name="objref", unpack=unpack, run=run, words=words)

"""Writes the packet to a log.

Kernel: net/netfilter/nft_log.c
"""

from dataclasses import dataclass

from kubectl_packetpath.trace import StepKind
from kubectl_packetpath.walk.nftables.kind import Fields, Kind
from kubectl_packetpath.walk.nftables.scene import GO_ON, Answer, Scene
from kubectl_packetpath.walk.nftables.sentence import Sentence
from kubectl_packetpath.walk.nftables.values import quoted

GROUP, PREFIX, SNAPLEN, THRESHOLD, LEVEL, FLAGS = 1, 2, 3, 4, 5, 6
LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit")
DEFAULT_LEVEL = 4
FLAG_NAMES = {0x01: "tcp sequence", 0x02: "tcp options", 0x04: "ip options", 0x08: "skuid", 0x20: "ether"}
ALL_FLAGS = 0x2F


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Where to, and with which words."""

    group: int | None
    prefix: str
    snaplen: int
    threshold: int
    level: int
    flags: int


def unpack(data: bytes) -> Spec:
    """Read the attributes."""
    fields = Fields(data)
    return Spec(
        group=fields.number(GROUP) if GROUP in fields else None,
        prefix=fields.text(PREFIX, ""),
        snaplen=fields.number(SNAPLEN, 0),
        threshold=fields.number(THRESHOLD, 0),
        level=fields.number(LEVEL, DEFAULT_LEVEL),
        flags=fields.number(FLAGS, 0),
    )


def run(spec: Spec, scene: Scene) -> Answer:
    """The packet goes on."""
    scene.tell(StepKind.MATCHED, f"logged{f' as {quoted(spec.prefix)}' if spec.prefix else ''}")
    return GO_ON


def words(spec: Spec, sentence: Sentence) -> None:
    """`log prefix "x" level debug`."""
    text = f"log prefix {quoted(spec.prefix)}" if spec.prefix else "log"
    if spec.group is not None:
        text += f" group {spec.group}"
        text += f" snaplen {spec.snaplen}" if spec.snaplen else ""
        text += f" queue-threshold {spec.threshold}" if spec.threshold else ""
    elif spec.level != DEFAULT_LEVEL:
        text += f" level {LEVELS[spec.level]}"
    if spec.flags & ALL_FLAGS == ALL_FLAGS:
        text += " flags all"
    elif spec.flags:
        text += " flags " + _flags(spec.flags)
    sentence.say(text)


def _flags(flags: int) -> str:
    names = [text for bit, text in FLAG_NAMES.items() if flags & bit]
    return "tcp sequence,options" if names[:2] == ["tcp sequence", "tcp options"] else " flags ".join(names)


def nflog_words(spec: Spec) -> str:
    """The options of the NFLOG target that iptables made this of."""
    parts = [f" --nflog-prefix {_plain(spec.prefix)}" if spec.prefix else ""]
    parts.append(f" --nflog-group {spec.group}" if spec.group else "")
    parts.append(f" --nflog-size {spec.snaplen}" if spec.snaplen else "")
    parts.append(f" --nflog-threshold {spec.threshold}" if spec.threshold else "")
    return "".join(parts)


def _plain(text: str) -> str:
    return quoted(text) if " " in text else text


KIND = Kind(name="log", unpack=unpack, run=run, words=words, observes=True)

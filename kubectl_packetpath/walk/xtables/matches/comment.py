"""The comment match: words for people; it always holds.

Kernel: net/netfilter/xt_comment.c
"""

from kubectl_packetpath.packet import Packet
from kubectl_packetpath.walk.here import Here
from kubectl_packetpath.walk.xtables.extension import Decision, Extension, Match
from kubectl_packetpath.walk.xtables.fields import c_string, quoted


def unpack(extension: Extension, family: int) -> str:
    """The text."""
    del family
    return c_string(extension.data)


def holds(spec: str, here: Here, packet: Packet) -> Decision:
    """Nothing is tested."""
    del spec, here, packet
    return True


def words(spec: str) -> str:
    """`--comment "..."`."""
    return f"--comment {quoted(spec)}"


MATCH = Match(name="comment", unpack=unpack, holds=holds, words=words)

"""The NOTRACK target: connection tracking leaves the packet alone.

Kernel: net/netfilter/xt_CT.c
"""

from kubectl_packetpath.walk.xtables.extension import Extension, Target
from kubectl_packetpath.walk.xtables.targets import ct


def unpack(extension: Extension, family: int) -> ct.Spec:
    """There is nothing to read."""
    del extension, family
    return ct.Spec(flags=ct.NOTRACK | ct.NOTRACK_ALIAS)


TARGET = Target(name="NOTRACK", unpack=unpack, run=ct.run, words=ct.words)

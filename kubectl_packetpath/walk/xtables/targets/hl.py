"""The HL target: set or change the number of hops that an IPv6 packet has left.

Kernel: net/netfilter/xt_HL.c
"""

from kubectl_packetpath.walk.xtables.extension import Target
from kubectl_packetpath.walk.xtables.targets.ttl import run, unpack, words

TARGET = Target(name="HL", unpack=unpack, run=run, words=words)

"""The hl match: the hops that an IPv6 packet has left.

Kernel: net/netfilter/xt_hl.c
"""

from kubectl_packetpath.walk.xtables.extension import Match
from kubectl_packetpath.walk.xtables.matches.ttl import holds, unpack, words

MATCH = Match(name="hl", unpack=unpack, holds=holds, words=words)

"""Things that go wrong in clusters, done on purpose and undone afterwards.

    with fault(ProxyFrozen(node=node), RouteDeleted(place=node, destination=pods_of_node2)):
        ...
A new fault is one small class in a module here, listed below: what it needs to know, and `apply`, which breaks
something and returns how to mend it. kube-proxy repairs its own rules every now and then: freeze it first when a fault
is in them.
"""

from testbed.faults.base import Fault, Mend, fault
from testbed.faults.kubernetes import (
    AnnotationChanged,
    PodUnready,
    ProxyFrozen,
    ProxyKilled,
    ProxyTold,
    Scaled,
    set_gate,
)
from testbed.faults.routing import (
    AddressAdded,
    FdbEntryChanged,
    FdbEntryDeleted,
    HairpinOff,
    NeighbourChanged,
    NeighbourDeleted,
    RouteAdded,
    RouteDeleted,
    RouteReplaced,
    SysctlSet,
    WrongMtu,
)
from testbed.faults.rules import ChainFlushed, ConntrackFull, ForeignRule, ForeignTable, NftChainFlushed

__all__ = [
    "AddressAdded",
    "AnnotationChanged",
    "ChainFlushed",
    "ConntrackFull",
    "Fault",
    "FdbEntryChanged",
    "FdbEntryDeleted",
    "ForeignRule",
    "ForeignTable",
    "HairpinOff",
    "Mend",
    "NeighbourChanged",
    "NeighbourDeleted",
    "NftChainFlushed",
    "PodUnready",
    "ProxyFrozen",
    "ProxyKilled",
    "ProxyTold",
    "RouteAdded",
    "RouteDeleted",
    "RouteReplaced",
    "Scaled",
    "SysctlSet",
    "WrongMtu",
    "fault",
    "set_gate",
]

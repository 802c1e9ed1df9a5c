"""The nftables state of a namespace, read whole through the agent's reader."""

import os
from dataclasses import replace
from typing import Any

from kubectl_packetpath.snapshot import NetworkNamespace
from kubectl_packetpath.snapshot.nftables import Nftables
from packetpath_agent.collectors.nftables import NftReader
from packetpath_agent.netns import inside
from testbed.netns import Namespace


def read(namespace: Namespace) -> Nftables:
    """All tables, chains with rules, sets with elements, objects."""
    descriptor = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with inside(descriptor):
            reader = NftReader()
    finally:
        os.close(descriptor)
    try:
        tables = reader.tables()
        chains = [
            replace(chain, rules=reader.rules(chain.family, chain.table, chain.name))
            for chain in reader.chains()
        ]
        sets = [
            replace(found, elements=reader.elements(found.family, found.table, found.name))
            for table in tables
            for found in reader.sets(table.family, table.name)
        ]
        objects = [each for table in tables for each in reader.objects(table.family, table.name)]
        return Nftables(
            generation=reader.generation(),
            tables=tables,
            chains=tuple(chains),
            sets=tuple(sets),
            objects=tuple(objects),
        )
    finally:
        reader.close()


def recording(nftables: Nftables, **sections: Any) -> NetworkNamespace:
    """A recording that holds this state, and what else is given."""
    return NetworkNamespace(identity=1, is_host=True, nftables=nftables, **sections)

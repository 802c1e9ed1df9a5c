"""Two narrowed snapshots of a node, joined: what one of them was asked, the other need not be."""

from dataclasses import fields, replace
from typing import Any

from kubectl_packetpath.snapshot import NetworkNamespace, Snapshot
from kubectl_packetpath.snapshot.absent import Absent, Why
from kubectl_packetpath.snapshot.conntrack import Conntrack
from kubectl_packetpath.snapshot.ipsets import Ipset
from kubectl_packetpath.snapshot.ipvs import IpvsTable
from kubectl_packetpath.snapshot.nftables import Nftables, NftChain, NftSet
from kubectl_packetpath.snapshot.xtables import LegacyTable


def merge(older: Snapshot, newer: Snapshot) -> Snapshot:
    """Everything that either of them knows; where both do, the newer one's word."""
    known = {namespace.identity: namespace for namespace in older.namespaces}
    for namespace in newer.namespaces:
        before = known.get(namespace.identity)
        known[namespace.identity] = namespace if before is None else _joined(before, namespace)
    namespaces = sorted(known.values(), key=lambda namespace: (not namespace.is_host, namespace.identity))
    troubles = tuple(dict.fromkeys((*older.troubles, *newer.troubles)))
    cni = older.cni if _not_asked(newer.cni) else newer.cni
    return replace(newer, namespaces=tuple(namespaces), troubles=troubles, cni=cni)


def _not_asked(value: object) -> bool:
    return isinstance(value, Absent) and value.why is Why.NOT_ASKED


def _joined(older: NetworkNamespace, newer: NetworkNamespace) -> NetworkNamespace:
    changes: dict[str, Any] = {}
    for field in fields(NetworkNamespace):
        before, after = getattr(older, field.name), getattr(newer, field.name)
        if (
            _not_asked(after)
            or (after is None and before is not None)
            or (field.name == "peers" and not after)
        ):
            changes[field.name] = before
        elif isinstance(before, Nftables) and isinstance(after, Nftables):
            changes[field.name] = _nftables(before, after)
        elif isinstance(before, Conntrack) and isinstance(after, Conntrack):
            answers = {answer.key: answer for answer in (*before.answers, *after.answers)}
            entries = before.entries if _not_asked(after.entries) else after.entries
            flows = {each.key: each for each in (*before.flows, *after.flows)}
            changes[field.name] = replace(
                after, answers=tuple(answers.values()), entries=entries, flows=tuple(flows.values())
            )
        elif isinstance(before, IpvsTable) and isinstance(after, IpvsTable):
            clients = {answer.client: answer for answer in (*before.answers, *after.answers)}
            entries = before.entries if _not_asked(after.entries) else after.entries
            changes[field.name] = IpvsTable(entries=entries, answers=tuple(clients.values()))
        elif field.name == "legacy" and isinstance(before, tuple) and isinstance(after, tuple):
            changes[field.name] = _legacy(before, after)
        elif field.name == "ipsets" and isinstance(before, tuple) and isinstance(after, tuple):
            changes[field.name] = _ipsets(before, after)
    return replace(newer, **changes)


def _ipsets(before: tuple[Ipset, ...], after: tuple[Ipset, ...]) -> tuple[Ipset, ...]:
    """The newer list of sets; members that only the older one was asked for are still told."""
    known = {(each.name, each.index): each for each in before}
    return tuple(
        replace(each, members=same.members)
        if _not_asked(each.members) and (same := known.get((each.name, each.index))) is not None
        else each
        for each in after
    )


def _legacy(before: tuple[LegacyTable, ...], after: tuple[LegacyTable, ...]) -> tuple[LegacyTable, ...]:
    known = {(table.family, table.name): table for table in before}
    for table in after:
        same = known.get((table.family, table.name))
        if same is not None and same.hook_entry == table.hook_entry and same.underflow == table.underflow:
            chains = {chain.offset: chain for chain in (*same.chains, *table.chains)}
            blob = table.blob if table.blob is not None else same.blob
            known[table.family, table.name] = replace(table, blob=blob, chains=tuple(chains.values()))
        else:
            known[table.family, table.name] = table
    return tuple(known.values())


def _nftables(before: Nftables, after: Nftables) -> Nftables:
    if before.generation != after.generation:
        return after
    chains: dict[tuple[int, str, str], NftChain] = {}
    for chain in (*before.chains, *after.chains):
        key = (chain.family, chain.table, chain.name)
        same = chains.get(key)
        if same is None or isinstance(same.rules, Absent) or not isinstance(chain.rules, Absent):
            chains[key] = chain
    sets: dict[tuple[int, str, str], NftSet] = {}
    for each in (*before.sets, *after.sets):
        key = (each.family, each.table, each.name)
        same_set = sets.get(key)
        if same_set is not None:
            lookups = {lookup.key: lookup for lookup in (*same_set.lookups, *each.lookups)}
            elements = same_set.elements if isinstance(each.elements, Absent) else each.elements
            sets[key] = replace(each, elements=elements, lookups=tuple(lookups.values()))
        else:
            sets[key] = each
    objects = {(o.family, o.table, o.type, o.name): o for o in (*before.objects, *after.objects)}
    return replace(
        after,
        chains=tuple(chains.values()),
        sets=tuple(sets.values()),
        objects=tuple(objects.values()),
        complete=before.complete or after.complete,
        hooks=before.hooks if _not_asked(after.hooks) else after.hooks,
    )

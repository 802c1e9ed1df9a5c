"""Where a proxy and the objects part: what it is called, what proves it, and what becomes of the request."""

from dataclasses import dataclass, field
from enum import StrEnum

from kubectl_packetpath.trace import Fact


class Parting(StrEnum):
    """What is different in the proxy."""

    NO_LISTENER = "no listener"
    NO_ROUTE = "no route"
    OTHER_ROUTE = "another route"
    OTHER_ENDPOINTS = "other endpoints"
    AVOIDED = "endpoints that it avoids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference between what a proxy has loaded and what the objects promise."""

    parting: Parting
    message: str
    evidence: tuple[Fact, ...] = ()
    family: str = ""
    """What it makes of the request: `lost`, `unknown`, or empty where requests arrive all the same."""
    remedy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one proxy pod says of one request."""

    pod: str
    """As `namespace/name`."""
    node: str = ""
    drifts: tuple[Drift, ...] = ()
    undecided: str = ""
    """Why its routes were not held against the objects."""
    unseen: str = ""
    """Why its configuration was not read."""

    @property
    def agrees(self) -> bool:
        """It was read, all of it was decided, and it is as the objects promise."""
        return not (self.drifts or self.undecided or self.unseen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the proxies of a request say of it; empty: nobody asked them."""

    views: tuple[View, ...] = field(default=())
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """All of them were read, and all are as the objects promise."""
        return bool(self.views) and not self.notes and all(each.agrees for each in self.views)

    @property
    def families(self) -> tuple[str, ...]:
        """What the differences make of the request."""
        return tuple(drift.family for view in self.views for drift in view.drifts if drift.family)

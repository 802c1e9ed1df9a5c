"""CNI configuration files of a node (/etc/cni/net.d)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CniConfiguration:
    """One file, as it stands on the node; the first by name is the one that the runtime uses."""

    file: str
    text: str
    """JSON; not yet parsed, at most 64 KiB."""

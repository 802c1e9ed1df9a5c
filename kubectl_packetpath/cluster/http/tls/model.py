"""Certificates and the Secrets that hold them, without any key.

Kubernetes: https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets
"""

from dataclasses import dataclass
from datetime import datetime

from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.packet import Address
from kubectl_packetpath.snapshot.absent import Section

TLS_TYPE = "kubernetes.io/tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate."""

    subject: str
    issuer: str
    common_name: str = ""
    names: tuple[str, ...] = ()
    """DNS names (SAN)."""
    addresses: tuple[Address, ...] = ()
    """IP addresses (SAN)."""
    not_before: datetime
    not_after: datetime
    fingerprint: str = ""
    """SHA-256."""

    @property
    def is_self_issued(self) -> bool:
        """Whether it vouches for itself."""
        return self.subject == self.issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A Secret, as far as it may be kept: its type, and its certificates."""

    namespace: str
    name: str
    type: str = TLS_TYPE
    chain: tuple[Certificate, ...] = ()
    """The proxy's own certificate first."""
    problem: str = ""
    """Why there is no certificate in it."""

    @property
    def reference(self) -> Reference:
        """Its kind and name."""
        return Reference(kind="Secret", namespace=self.namespace, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The Secrets that were asked for."""

    found: Section[Secret] = ()
    elsewhere: tuple[Reference, ...] = ()
    """Secrets of these names in other namespaces; only their names are read."""

    def secret(self, namespace: str, name: str) -> Secret | None:
        """One of them by name."""
        if not isinstance(self.found, tuple):
            return None
        return next((each for each in self.found if (each.namespace, each.name) == (namespace, name)), None)

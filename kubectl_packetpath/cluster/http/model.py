"""Ingress objects as plain data.

Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/
"""

from dataclasses import dataclass

from kubectl_packetpath.cluster.http.decision import Backend, Reference

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
LEGACY_CLASS = "kubernetes.io/ingress.class"
NETWORKING = "networking.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressPath:
    """One path of a rule."""

    path: str = ""
    type: str = "ImplementationSpecific"
    """Exact, Prefix or ImplementationSpecific."""
    backend: Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressRule:
    """A host and its paths."""

    host: str = ""
    """Empty: all hosts."""
    paths: tuple[IngressPath, ...] = ()
    """Empty: all traffic of the host goes to the default backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEntry:
    """Hosts whose certificate is in a Secret."""

    hosts: tuple[str, ...] = ()
    secret: str = ""
    """In the Ingress' own namespace; empty: the controller's default certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """An Ingress."""

    namespace: str
    name: str
    created: str = ""
    """As the API writes it, which sorts by time."""
    class_name: str | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    rules: tuple[IngressRule, ...] = ()
    default_backend: Backend | None = None
    tls: tuple[TlsEntry, ...] = ()
    addresses: tuple[str, ...] = ()
    """Under which the controller says that it is reached: IP addresses and host names."""

    @property
    def reference(self) -> Reference:
        """Its kind and name."""
        return Reference(kind="Ingress", namespace=self.namespace, name=self.name, group=NETWORKING)

    def annotation(self, name: str) -> str | None:
        """An annotation's value."""
        return next((value for key, value in self.annotations if key == name), None)

    @property
    def age(self) -> tuple[str, str, str]:
        """Sorts the oldest first, and those of one moment by name."""
        return (self.created or "9999", self.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressClass:
    """An IngressClass."""

    name: str
    controller: str
    is_default: bool = False
    parameters: str = ""
    """Kind and name of what configures the class; empty: nothing."""
    created: str = ""

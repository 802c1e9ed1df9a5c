"""The certificate that a proxy shows for a server name, and what a client finds wrong with it.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress/#tls,
https://gateway-api.sigs.k8s.io/guides/tls/
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubectl_packetpath.cluster.http.controllers.base import Controller
from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.gateway.grants import is_granted, why_not_granted
from kubectl_packetpath.cluster.http.gateway.model import Gateway, Grant, Listener
from kubectl_packetpath.cluster.http.hosts import covers_one_label, nearness
from kubectl_packetpath.cluster.http.model import Ingress
from kubectl_packetpath.cluster.http.tls.model import TLS_TYPE, Certificate, Secret, Secrets
from kubectl_packetpath.cluster.http.tls.names import is_for, why_not_for
from kubectl_packetpath.snapshot.absent import Absent

SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks for, and when."""

    host: str
    moment: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The certificate that is shown."""

    source: str
    """Which object names it, or the default: for people."""
    secret: Reference | None = None
    chain: tuple[Certificate, ...] = ()
    problems: tuple[str, ...] = ()
    """Why the handshake fails, or a client does not trust it."""
    notes: tuple[str, ...] = ()
    unknown: str = ""
    """Why it is not known what is shown; empty: it is."""

    @property
    def certificate(self) -> Certificate | None:
        """The proxy's own."""
        return self.chain[0] if self.chain else None


def secrets_of_ingresses(ingresses: Iterable[Ingress], host: str) -> Iterator[tuple[Ingress, str]]:
    """The Secrets that Ingresses name for a host, the nearest first."""
    named = [
        (nearness(pattern), ingress, entry.secret)
        for ingress in ingresses
        for entry in ingress.tls
        for pattern in entry.hosts or ("",)
        if covers_one_label(pattern, host)
    ]
    named.sort(key=lambda each: (tuple(-part for part in each[0]), each[1].age))
    for _, ingress, secret in named:
        yield ingress, secret


def shown_by_ingress(
    ingresses: Sequence[Ingress], controller: Controller, secrets: Secrets, asked: Asked
) -> Shown:
    """What the controller of these Ingresses shows."""
    named = list(secrets_of_ingresses(ingresses, asked.host))
    for ingress, name in named:
        if name:
            target = Reference(kind="Secret", namespace=ingress.namespace, name=name)
            return _with_default(
                _from_secret(target, f"{ingress.reference}, tls", secrets, asked), controller
            )
    source = (
        f"{named[0][0].reference}, tls without a Secret" if named else f"no Ingress has TLS for {asked.host}"
    )
    return _default(controller, source)


def _default(controller: Controller, source: str) -> Shown:
    if controller.default_certificate is None:
        return Shown(source=source, unknown=f"{source}: what {controller.product} shows then is not known")
    if not controller.default_certificate:
        return Shown(
            source=source, problems=(f"{source}: {controller.product} has no other, the handshake fails",)
        )
    return Shown(
        source=source,
        notes=(f"{controller.product} shows {controller.default_certificate}",),
        problems=(f"{source}: clients do not trust the default certificate",)
        if "self-signed" in controller.default_certificate
        else (),
    )


def _with_default(shown: Shown, controller: Controller) -> Shown:
    """Most controllers show their default where a Secret cannot be used."""
    if shown.chain or shown.unknown or not controller.default_certificate:
        return shown
    note = f"{controller.product} shows {controller.default_certificate} instead"
    return Shown(
        source=shown.source, secret=shown.secret, problems=shown.problems, notes=(*shown.notes, note)
    )


def shown_by_listener(
    gateway: Gateway, listener: Listener, grants: Iterable[Grant] | None, secrets: Secrets, asked: Asked
) -> Shown:
    """What a Gateway's listener shows: of several certificates the one whose name is nearest."""
    source = f"{gateway.reference}, listener {listener.name}"
    if listener.tls_mode == "Passthrough":
        return Shown(source=source, unknown="TLS passes through: the backend shows its own certificate")
    if not listener.certificates:
        return Shown(source=source, problems=(f"{source} names no certificate, the handshake fails",))
    found = [_of_listener(gateway, each, grants, secrets, asked) for each in listener.certificates]
    fitting = [
        each for each in found if each.certificate is not None and is_for(each.certificate, asked.host)
    ]
    return next(iter((*fitting, *found)))


def _of_listener(
    gateway: Gateway, target: Reference, grants: Iterable[Grant] | None, secrets: Secrets, asked: Asked
) -> Shown:
    source = f"{gateway.reference}, certificateRefs"
    if (target.kind, target.group) != ("Secret", ""):
        return Shown(source=source, unknown=f"{target} is no Secret: only the implementation knows it")
    if grants is None and gateway.namespace != target.namespace:
        return Shown(source=source, secret=target, unknown="the ReferenceGrants could not be read")
    if not is_granted(gateway.reference, target, grants or ()):
        return Shown(source=source, secret=target, problems=(why_not_granted(gateway.reference, target),))
    return _from_secret(target, source, secrets, asked)


def _from_secret(target: Reference, source: str, secrets: Secrets, asked: Asked) -> Shown:
    if isinstance(secrets.found, Absent):
        why = f"{target} could not be read: {secrets.found.detail or secrets.found.why}"
        return Shown(source=source, secret=target, unknown=why)
    secret = secrets.secret(target.namespace, target.name)
    if secret is None:
        return Shown(source=source, secret=target, problems=(_missing(target, secrets),))
    if secret.problem or not secret.chain:
        problem = secret.problem or "it holds no certificate"
        return Shown(source=source, secret=target, problems=(f"{target}: {problem}",))
    return Shown(
        source=source,
        secret=target,
        chain=secret.chain,
        problems=tuple(_problems(secret, asked)),
        notes=tuple(_notes(secret, asked)),
    )


def _missing(target: Reference, secrets: Secrets) -> str:
    others = [each.namespace for each in secrets.elsewhere if each.name == target.name]
    if others:
        return f"there is no {target}; there is one of that name in namespace {', '.join(others)}, which is not used"
    return f"there is no {target}"


def _problems(secret: Secret, asked: Asked) -> Iterator[str]:
    certificate = secret.chain[0]
    if secret.type != TLS_TYPE:
        yield f"{secret.reference} is of type {secret.type}, not {TLS_TYPE}"
    for number, each in enumerate(secret.chain):
        which = "the certificate" if not number else f"the certificate of {each.subject} in its chain"
        if asked.moment > each.not_after:
            yield f"{which} has expired on {each.not_after:%Y-%m-%d %H:%M} UTC"
        elif asked.moment < each.not_before:
            yield f"{which} is not valid before {each.not_before:%Y-%m-%d %H:%M} UTC"
    if asked.host and not is_for(certificate, asked.host):
        yield why_not_for(certificate, asked.host)


def _notes(secret: Secret, asked: Asked) -> Iterator[str]:
    certificate = secret.chain[0]
    left = certificate.not_after - asked.moment
    if timedelta(0) <= left < SOON:
        yield f"the certificate expires in {left.days} days, on {certificate.not_after:%Y-%m-%d}"
    if certificate.is_self_issued:
        yield "the certificate is self-signed: only clients that know it trust it"
    for one, other in zip(secret.chain, secret.chain[1:], strict=False):
        if one.issuer != other.subject:
            yield f"the chain is out of order: {one.subject} was issued by {one.issuer}, next is {other.subject}"

"""The certificate that is shown, and what is wrong with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubectl_packetpath.cluster.http.controllers import controller_named
from kubectl_packetpath.cluster.http.decision import Reference
from kubectl_packetpath.cluster.http.gateway.model import Gateway, Grant, Listener
from kubectl_packetpath.cluster.http.model import Ingress, TlsEntry
from kubectl_packetpath.cluster.http.tls.model import Certificate, Secret, Secrets
from kubectl_packetpath.cluster.http.tls.serving import (
    Asked,
    Shown,
    shown_by_ingress,
    shown_by_listener,
)
from kubectl_packetpath.snapshot.absent import Absent, Why

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CONTOUR = controller_named("projectcontour.io/contour")
NGINX = controller_named("k8s.io/ingress-nginx")


def certificate(*names: str, days: float = 90, **given: Any) -> Certificate:
    """Valid for so many days from now."""
    plain = Certificate(
        subject=f"CN={names[0]}",
        issuer="CN=ca",
        names=names,
        not_before=NOW - timedelta(days=30),
        not_after=NOW + timedelta(days=days),
    )
    return replace(plain, **given)


def secret(name: str, *chain: Certificate, **given: Any) -> Secret:
    """In namespace `shop`."""
    return Secret(namespace=given.pop("namespace", "shop"), name=name, chain=chain, **given)


def ingress(*entries: tuple[tuple[str, ...], str], name: str = "web") -> Ingress:
    """With these hosts and Secrets."""
    return Ingress(
        namespace="shop", name=name, tls=tuple(TlsEntry(hosts=hosts, secret=s) for hosts, s in entries)
    )


def ask(*secrets: Secret, entry: str = "s", elsewhere: tuple[Reference, ...] = ()) -> Shown:
    """https://x.test at Contour, with an Ingress that names a Secret."""
    found = Secrets(found=secrets, elsewhere=elsewhere)
    return shown_by_ingress([ingress((("x.test",), entry))], CONTOUR, found, Asked(host="x.test", moment=NOW))


def test_a_good_certificate_has_no_problems() -> None:
    """And is named."""
    found = ask(secret("s", certificate("x.test")))

    assert (found.problems, found.notes, str(found.secret)) == ((), (), "Secret shop/s")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (secret("other"), "there is no Secret shop/s"),
        (secret("s", problem="it has no tls.crt"), "Secret shop/s: it has no tls.crt"),
        (
            secret("s", certificate("x.test"), type="Opaque"),
            "Secret shop/s is of type Opaque, not kubernetes.io/tls",
        ),
        (secret("s", certificate("x.test", days=-1)), "the certificate has expired on 2026-05-31 00:00 UTC"),
        (secret("s", certificate("y.test")), "the certificate is for y.test, not for x.test"),
        (
            secret("s", certificate("x.test", not_before=NOW + timedelta(days=1))),
            "the certificate is not valid before 2026-06-02 00:00 UTC",
        ),
        (
            secret("s", certificate("x.test"), certificate("ca", days=-1)),
            "the certificate of CN=ca in its chain has expired on 2026-05-31 00:00 UTC",
        ),
    ],
)
def test_a_bad_one_says_what_is_wrong(given: Secret, problem: str) -> None:
    """One sentence for each."""
    assert ask(given).problems == (problem,)


def test_a_secret_in_another_namespace_is_pointed_at() -> None:
    """A frequent mistake: an Ingress uses its own namespace's Secrets only."""
    found = ask(elsewhere=(Reference(kind="Secret", namespace="cert-manager", name="s"),))

    assert "there is one of that name in namespace cert-manager, which is not used" in found.problems[0]


def test_what_may_not_be_read_is_unknown() -> None:
    """The right to read Secrets is often not given."""
    denied = Secrets(found=Absent(why=Why.NOT_PERMITTED, detail="secrets is forbidden"))

    found = shown_by_ingress([ingress((("x.test",), "s"))], CONTOUR, denied, Asked(host="x.test", moment=NOW))

    assert (found.problems, found.unknown) == ((), "Secret shop/s could not be read: secrets is forbidden")


def test_a_certificate_that_expires_soon_is_noted() -> None:
    """Not a problem yet."""
    assert "expires in 3 days" in ask(secret("s", certificate("x.test", days=3))).notes[0]


def test_a_self_signed_certificate_is_noted() -> None:
    """Test beds have them."""
    assert "self-signed" in ask(secret("s", certificate("x.test", issuer="CN=x.test"))).notes[0]


def test_a_chain_out_of_order_is_noted() -> None:
    """Some clients do not put it in order."""
    found = ask(secret("s", certificate("x.test"), certificate("root", subject="CN=root")))

    assert "out of order" in found.notes[0]


def test_the_nearest_host_decides() -> None:
    """An exact one before a wildcard."""
    given = [ingress((("*.test",), "wild"), name="a"), ingress((("x.test",), "exact"), name="b")]
    secrets = Secrets(found=(secret("wild", certificate("*.test")), secret("exact", certificate("x.test"))))

    found = shown_by_ingress(given, CONTOUR, secrets, Asked(host="x.test", moment=NOW))

    assert found.secret == Reference(kind="Secret", namespace="shop", name="exact")


def test_without_tls_the_default_certificate_is_shown_or_none() -> None:
    """Contour has none; ingress-nginx has one that nobody trusts."""
    asked = Asked(host="x.test", moment=NOW)

    contour = shown_by_ingress([ingress()], CONTOUR, Secrets(), asked)
    nginx = shown_by_ingress([ingress()], NGINX, Secrets(), asked)
    other = shown_by_ingress([ingress()], controller_named("example.com/own"), Secrets(), asked)

    assert "the handshake fails" in contour.problems[0]
    assert "Fake Certificate" in nginx.notes[0]
    assert other.unknown


def listener(*certificates: Reference, mode: str = "Terminate") -> Listener:
    """An HTTPS listener."""
    return Listener(name="https", port=443, protocol="HTTPS", certificates=certificates, tls_mode=mode)


GATEWAY = Gateway(namespace="shop", name="edge", class_name="c")


def reference(name: str, namespace: str = "shop") -> Reference:
    """A Secret."""
    return Reference(kind="Secret", namespace=namespace, name=name)


def of_listener(found: Listener, grants: tuple[Grant, ...] | None = (), *secrets: Secret) -> Shown:
    """What it shows for x.test."""
    asked = Asked(host="x.test", moment=NOW)
    return shown_by_listener(GATEWAY, found, grants, Secrets(found=secrets), asked)


def test_a_listener_shows_the_certificate_that_fits() -> None:
    """Of several."""
    two = (secret("a", certificate("a.test")), secret("x", certificate("x.test")))

    assert of_listener(listener(reference("a"), reference("x")), (), *two).secret == reference("x")


def test_a_certificate_of_another_namespace_needs_a_grant() -> None:
    """As in gateway-secret-missing-reference-grant, and with it it is shown."""
    far = listener(reference("s", "certs"))
    given = secret("s", certificate("x.test"), namespace="certs")
    source = Reference(kind="Gateway", namespace="shop", group="gateway.networking.k8s.io")
    grant = Grant(namespace="certs", name="g", sources=(source,), targets=(Reference(kind="Secret"),))

    assert "no ReferenceGrant in namespace certs" in of_listener(far, (), given).problems[0]
    assert of_listener(far, (grant,), given).problems == ()
    assert of_listener(far, None, given).unknown


def test_tls_that_passes_through_shows_the_backends_certificate() -> None:
    """Nothing of it is known here."""
    assert of_listener(listener(mode="Passthrough")).unknown


def test_a_listener_without_certificate_fails() -> None:
    """As in gateway-invalid-tls-configuration."""
    assert "names no certificate" in of_listener(listener()).problems[0]

"""Certificates out of the PEM text of a Secret.

The library is loaded only when there is a certificate to read.

Source: RFC 5280, RFC 7468
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import UTC
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from kubectl_packetpath.cluster.fields import part, text
from kubectl_packetpath.cluster.http.tls.model import TLS_TYPE, Certificate, Secret

CERTIFICATE = "tls.crt"


def secret_of(given: Mapping[str, Any]) -> Secret:
    """A Secret, of whose data only the certificates are looked at."""
    meta = part(given, "metadata")
    written = text(part(given, "data"), CERTIFICATE)
    chain, problem = chain_of(written) if written else ((), f"it has no {CERTIFICATE}")
    return Secret(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        type=text(given, "type") or TLS_TYPE,
        chain=chain,
        problem=problem,
    )


def chain_of(encoded: str) -> tuple[tuple[Certificate, ...], str]:
    """The certificates in base64 of PEM; or why there are none."""
    from cryptography import x509  # noqa: PLC0415 - only who asks for TLS waits for it

    try:
        pem = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return (), f"its {CERTIFICATE} is not base64"
    try:
        found = x509.load_pem_x509_certificates(pem)
        return tuple(_certificate(each) for each in found), ""
    except (ValueError, TypeError) as error:
        return (), f"its {CERTIFICATE} is no certificate: {str(error).splitlines()[0][:100]}"


def _certificate(found: Any) -> Certificate:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - only who asks for TLS waits for it
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - only who asks for TLS waits for it

    common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names, addresses = _alternatives(found)
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        common_name=str(common[0].value) if common else "",
        names=tuple(names),
        addresses=tuple(addresses),
        not_before=found.not_valid_before_utc.astimezone(UTC),
        not_after=found.not_valid_after_utc.astimezone(UTC),
        fingerprint=found.fingerprint(hashes.SHA256()).hex(":").upper(),
    )


def _alternatives(found: Any) -> tuple[list[str], list[IPv4Address | IPv6Address]]:
    from cryptography import x509  # noqa: PLC0415 - only who asks for TLS waits for it

    try:
        given = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], []
    return list(given.get_values_for_type(x509.DNSName)), list(_addresses(given, x509))


def _addresses(given: Any, x509: Any) -> Iterator[IPv4Address | IPv6Address]:
    for each in given.get_values_for_type(x509.IPAddress):
        if isinstance(each, IPv4Address | IPv6Address):
            yield each

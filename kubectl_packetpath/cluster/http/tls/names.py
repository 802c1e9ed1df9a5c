"""Whether a certificate is for the host that a client asked for.

Sources: RFC 9525 (which replaces RFC 6125): only subject alternative names count, the common name does not; a
wildcard is the whole leftmost label and stands for just one.
"""

from ipaddress import ip_address

from kubectl_packetpath.cluster.http.request import is_address
from kubectl_packetpath.cluster.http.tls.model import Certificate


def is_for(certificate: Certificate, host: str) -> bool:
    """Whether clients take the certificate for a host."""
    if is_address(host):
        return ip_address(host) in certificate.addresses
    return any(name_covers(name, host) for name in certificate.names)


def name_covers(name: str, host: str) -> bool:
    """Whether one DNS name of a certificate covers a host."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if "*" not in name:
        return name == host
    label, _, rest = name.partition(".")
    first, _, of_host = host.partition(".")
    return label == "*" and "*" not in rest and rest.count(".") >= 1 and bool(first) and rest == of_host


def why_not_for(certificate: Certificate, host: str) -> str:
    """One sentence."""
    shown = ", ".join((*certificate.names, *map(str, certificate.addresses)))
    if not shown:
        named = certificate.common_name or certificate.subject
        return f"the certificate names {named} only as its subject, which clients do not look at"
    return f"the certificate is for {shown}, not for {host}"

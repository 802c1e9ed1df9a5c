"""The cluster's certificates: one authority, and a key and certificate for each program."""

import datetime as dt
import json
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.addresses import Address

LIFETIME = dt.timedelta(days=3650)
AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "testbed-ca")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a certificate speaks for, and at which names and addresses it may serve."""

    user: str
    group: str | None = None
    names: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()

    @property
    def subject(self) -> x509.Name:
        """The certificate's subject: Kubernetes reads the user from CN and the groups from O."""
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, self.user)]
        if self.group is not None:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.group))
        return x509.Name(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The cluster's certificate authority, and the folder that holds everything it made."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self) -> None:
        """Write the authority's own certificate, and the key that signs service account tokens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        unsigned = _unsigned(AUTHORITY, AUTHORITY, self.key).add_extension(constraints, critical=True)
        self._write("ca", self.key, unsigned.sign(self.key, hashes.SHA256()))
        tokens = ec.generate_private_key(ec.SECP256R1())
        self.path("sa.key").write_bytes(_key_bytes(tokens))
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        self.path("sa.pub").write_bytes(tokens.public_key().public_bytes(serialization.Encoding.PEM, public))

    def issue(self, file_name: str, identity: Identity) -> None:
        """Write FILE_NAME.key and FILE_NAME.crt."""
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in identity.names or (identity.user,)]
        names += [x509.IPAddress(address) for address in identity.addresses]
        unsigned = _unsigned(identity.subject, AUTHORITY, key)
        unsigned = unsigned.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        unsigned = unsigned.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self._write(file_name, key, unsigned.sign(self.key, hashes.SHA256()))

    def path(self, file_name: str) -> Path:
        """A file of this authority."""
        return self.folder / file_name

    def kubeconfig(self, file_name: str, server: str) -> str:
        """A kubeconfig for the identity issued under this name."""
        return kubeconfig(self.folder, file_name, server)

    def _write(self, file_name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.path(f"{file_name}.key").write_bytes(_key_bytes(key))
        self.path(f"{file_name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def kubeconfig(folder: Path, file_name: str, server: str) -> str:
    """A kubeconfig that needs no other file."""

    def embedded(name: str) -> str:
        return b64encode((folder / name).read_bytes()).decode()

    user = {
        "client-certificate-data": embedded(f"{file_name}.crt"),
        "client-key-data": embedded(f"{file_name}.key"),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "testbed",
                "cluster": {"server": server, "certificate-authority-data": embedded("ca.crt")},
            }
        ],
        "users": [{"name": file_name, "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": file_name}}],
        "current-context": "testbed",
    }
    return json.dumps(content, indent=1)


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )

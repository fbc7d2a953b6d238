"""Certificates as Kubernetes wants them, made with ``cryptography``.  Keys are ECDSA P-256."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=90)
BACKDATE = timedelta(minutes=5)
"""Certificates begin this long ago, for peers whose clocks are late."""


class Subject(msgspec.Struct, frozen=True):
    """Whom a certificate is for: user or host, its groups, and the names and addresses it serves under."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    server: bool = False
    client: bool = False


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, in PEM (SEC 1), unencrypted."""
        return private_pem(self.key)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key in PEM (SEC 1), unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key in PEM (SubjectPublicKeyInfo)."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh private key."""
    return ec.generate_private_key(ec.SECP256R1())


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a private key; raises ValueError where it is none of ours."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic-curve private key")
    return key


def new_authority(common_name: str, *, now: datetime | None = None) -> KeyPair:
    """A self-signed certificate authority."""
    key = new_key()
    name = _name(Subject(common_name))
    builder = (
        _builder(name, name, key.public_key(), CA_LIFETIME, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
    )
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


def issue(authority: KeyPair, subject: Subject, *, now: datetime | None = None) -> KeyPair:
    """A new key with a certificate signed by the authority."""
    key = new_key()
    builder = _builder(_name(subject), authority.certificate.subject, key.public_key(), LIFETIME, now)
    usages = []
    if subject.server:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
    if subject.client:
        usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    if names := _alternative_names(subject):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return KeyPair(builder.sign(authority.key, hashes.SHA256()), key)


def is_current(pair: KeyPair, authority: KeyPair, subject: Subject, *, now: datetime | None = None) -> bool:
    """Whether a certificate still does: signed by this authority, not near its end, with every name wanted."""
    certificate = pair.certificate
    if certificate.not_valid_after_utc - (now or datetime.now(UTC)) < RENEW_BEFORE:
        return False
    if certificate.subject != _name(subject):
        return False
    if certificate.public_key() != pair.key.public_key():
        return False
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # whatever is wrong with the signature, the answer is no
        return False
    wanted = {(type(name), str(name.value)) for name in _alternative_names(subject)}
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not wanted
    return wanted <= {(type(name), str(name.value)) for name in extension}


def _name(subject: Subject) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])


def _alternative_names(subject: Subject) -> Sequence[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in subject.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in subject.addresses]
    return names


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    lifetime: timedelta,
    now: datetime | None,
) -> x509.CertificateBuilder:
    instant = now or datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(instant - BACKDATE)
        .not_valid_after(instant + lifetime)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )

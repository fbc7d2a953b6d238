"""Whether a certificate and a key belong together."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def pair_fault(certificate: bytes, key: bytes) -> str:
    """What is wrong with a pair in PEM, in the words of Go's ``crypto/tls``; empty where nothing is."""
    if b"-----BEGIN" not in certificate:
        return "tls: failed to find any PEM data in certificate input"
    if b"-----BEGIN" not in key:
        return "tls: failed to find any PEM data in key input"
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except ValueError as error:
        return f"x509: {error}"
    try:
        private = load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):
        return "tls: failed to parse private key"
    mine, theirs = (each.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for each in (public, private))
    return "" if mine == theirs else "tls: private key does not match public key"

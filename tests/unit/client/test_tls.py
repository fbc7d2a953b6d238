"""Whom a client over HTTPS trusts: the authority that its configuration has, the machine's where it has none."""

from __future__ import annotations

import ssl

import pytest

from steersman.client.http import ssl_context
from steersman.client.kubeconfig import ClientConfig
from steersman.pki.certificates import new_authority

AUTHORITY = new_authority("kubernetes").certificate_pem


def test_the_authority_of_the_configuration_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ssl, "create_default_context")  # which reads the machine's, for 50 ms, in each test's client
    context = ssl_context(ClientConfig(server="https://127.0.0.1", ca_data=AUTHORITY))
    assert [dict(each[0] for each in found["subject"]) for found in context.get_ca_certs()] == [
        {"commonName": "kubernetes"}
    ]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_anybody_where_nothing_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ssl, "create_default_context")
    context = ssl_context(ClientConfig(server="https://127.0.0.1", insecure_skip_tls_verify=True))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


def test_the_machines_authorities_where_it_has_none() -> None:
    context = ssl_context(ClientConfig(server="https://127.0.0.1"))
    assert context.cert_store_stats() == ssl.create_default_context().cert_store_stats()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)

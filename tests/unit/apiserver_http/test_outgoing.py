"""Why a connection could not be made, in Go's words."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from steersman.apiserver.outgoing import dial_failure


def distrust(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "Hostname mismatch, certificate is not valid for 'a.example'."
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ECONNREFUSED, "refused"), "dial tcp a.example:443: connect: connection refused"),
        (TimeoutError(), "dial tcp a.example:443: i/o timeout"),
        (socket.gaierror(-2, "Name or service not known"), "dial tcp: lookup a.example: no such host"),
        (distrust(62), "tls: failed to verify certificate: x509: certificate is not valid for a.example"),
        (distrust(20), "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
    ],
)
def test_failures_are_told_as_gos_client_tells_them(error: OSError, told: str) -> None:
    assert dial_failure("a.example", 443, error) == told

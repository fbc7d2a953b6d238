"""A webhook for tests: HTTPS on loopback, with an authority of its own, answering what a function says."""

import base64
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[dict[str, Any]], Any]
"""From the body of a review to that of the answer; bytes are sent as they are, a number is a status without one."""


class Webhook:
    """`asked` are the reviews that came."""

    def __init__(self, directory: Path, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.authority = self.certificate(directory / "webhook.pem")
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.asked.append(body)
                answer = webhook.answer(body)
                code, answer = (answer, b"") if isinstance(answer, int) else (200, answer)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                """Tests tell what came by looking at it."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients that do not like the certificate go away."""

        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "webhook.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}/review"

    def config(self) -> dict[str, Any]:
        """The `clientConfig` of it."""
        return {"url": self.url, "caBundle": base64.b64encode(self.authority).decode()}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @staticmethod
    def certificate(path: Path) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("hook.default.svc")]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        path.write_bytes(
            pem
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pem


def allowed(review: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An answer that says yes."""
    response = {"uid": review["request"]["uid"], "allowed": True, **fields}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def denied(review: dict[str, Any], **status: Any) -> dict[str, Any]:
    """An answer that says no."""
    return allowed(review, **{"allowed": False, "status": status} if status else {"allowed": False})


def patched(review: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    """An answer that changes the object."""
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return allowed(review, patch=patch, patchType="JSONPatch")

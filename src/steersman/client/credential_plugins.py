"""Credential plugins: programs that a kubeconfig names under ``exec`` (KEP-541, ``client.authentication.k8s.io``).

A plugin is told what it is asked for in ``$KUBERNETES_EXEC_INFO``, and prints an ``ExecCredential``.  It is run when
its credential is first needed, has expired, or was not accepted; never with a terminal.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from steersman.api.time import now

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
TIMEOUT = 60.0


class CredentialError(Exception):
    """A plugin gave no credential; the message says why."""


class ExecConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a plugin; ``cluster`` is what it is told of the server, where it wants that."""

    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    api_version: str = VERSIONS[0]
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"
    cluster: tuple[tuple[str, Any], ...] = ()


class Credential(msgspec.Struct, frozen=True, rename="camel"):
    """What a plugin gave: a token, a client certificate with its key (PEM), or both."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _Answer(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: Credential | None = None


def read_credential(output: bytes, api_version: str) -> Credential:
    """The credential in what a plugin printed; raises CredentialError."""
    try:
        answer = msgspec.json.decode(output, type=_Answer)
    except msgspec.MsgspecError as error:
        raise CredentialError(f"decoding stdout: {error}") from error
    if answer.kind != "ExecCredential" or answer.api_version != api_version:
        raise CredentialError(
            f"exec plugin is configured to use API version {api_version}, plugin returned version {answer.api_version}"
        )
    found = answer.status
    if found is None:
        raise CredentialError("exec plugin didn't return a status field")
    if not found.token and not found.client_certificate_data and not found.client_key_data:
        raise CredentialError("exec plugin didn't return a token or cert/key pair")
    if bool(found.client_certificate_data) != bool(found.client_key_data):
        raise CredentialError("exec plugin returned only certificate or key, not both")
    return found


class CredentialPlugin:
    """A plugin and the credential that it gave last."""

    def __init__(self, config: ExecConfig, *, clock: Callable[[], datetime] = now) -> None:
        self._config = config
        self._clock = clock
        self._credential: Credential | None = None
        self._lock = asyncio.Lock()

    async def credential(self, refused: Credential | None = None) -> Credential:
        """A credential that has not expired, and is not the one that was refused; raises CredentialError."""
        async with self._lock:
            found = self._credential
            if found is None or found is refused or self._expired(found):
                found = self._credential = read_credential(await self._run(), self._config.api_version)
            return found

    def _expired(self, credential: Credential) -> bool:
        return credential.expiration_timestamp is not None and credential.expiration_timestamp <= self._clock()

    async def _run(self) -> bytes:
        config = self._config
        if config.interactive_mode == "Always":
            raise CredentialError("exec plugin cannot support interactive mode: standard input is not available")
        spec: dict[str, Any] = {"interactive": False}
        if config.cluster:
            spec["cluster"] = dict(config.cluster)
        info = msgspec.json.encode({"apiVersion": config.api_version, "kind": "ExecCredential", "spec": spec})
        environment = {**os.environ, **dict(config.env), "KUBERNETES_EXEC_INFO": info.decode()}
        try:
            process = await asyncio.create_subprocess_exec(
                config.command,
                *config.args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
            )
        except OSError as error:
            hint = f"\n\n{config.install_hint}" if config.install_hint else ""
            raise CredentialError(f"exec: executable {config.command} failed: {error}{hint}") from error
        try:
            async with asyncio.timeout(TIMEOUT):
                output, _ = await process.communicate()
        except TimeoutError:
            raise CredentialError(f"exec: executable {config.command} did not end within {TIMEOUT:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise CredentialError(f"exec: executable {config.command} failed with exit code {process.returncode}")
        return output

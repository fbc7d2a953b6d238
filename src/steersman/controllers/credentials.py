"""An identity for each controller: the service account upstream gives it, so that RBAC holds it to its role.

A controller manager in a process of its own may do little by itself: watch everything, hold its lease, and ask for
tokens of service accounts in ``kube-system`` (kubeadm's ``--use-service-account-credentials``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import msgspec

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_already_exists
from steersman.api.types.authentication_v1 import TokenRequest, TokenRequestSpec
from steersman.api.types.core_v1 import ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.http import HTTPClient

log = logging.getLogger(__name__)

NAMESPACE = "kube-system"
LIFETIME = 3600
RETRY = 10.0


async def _token(base: HTTPClient, name: str) -> str:
    try:
        await base.create(ServiceAccount(metadata=ObjectMeta(name=name, namespace=NAMESPACE)))
    except StatusError as error:
        if not is_already_exists(error):
            raise
    request = TokenRequest(spec=TokenRequestSpec(expiration_seconds=LIFETIME))
    answer = await base.create_subresource(ServiceAccount, name, "token", request, NAMESPACE)
    token: str = answer.status.token
    return token


@contextlib.asynccontextmanager
async def service_account_client(base: HTTPClient, name: str, clock: Clock = SYSTEM) -> AsyncIterator[HTTPClient]:
    """A client that is the service account, for as long as the block lasts; its token is renewed in time."""
    config = msgspec.structs.replace(
        base.config, client_certificate_data=b"", client_key_data=b"", token_file="", token=await _token(base, name)
    )
    client = HTTPClient(config, base.scheme)

    async def renew() -> None:
        wait = LIFETIME * 0.8
        while True:
            await clock.sleep(wait)
            try:
                client.set_token(await _token(base, name))
                wait = LIFETIME * 0.8
            except StatusError as error:
                log.warning("cannot renew the token of %s: %s", name, error)
                wait = RETRY

    renewer = asyncio.create_task(renew(), name=f"token of {name}")
    try:
        yield client
    finally:
        renewer.cancel()
        await asyncio.gather(renewer, return_exceptions=True)
        await client.close()

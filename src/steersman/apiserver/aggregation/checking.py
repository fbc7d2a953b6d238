"""Looks now and then whether the server of an APIService is there, and writes what it finds into its condition."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from steersman.api.errors import StatusError, is_not_found
from steersman.api.types.apiregistration_v1 import APIService
from steersman.apiserver.outgoing import Outgoing
from steersman.apiserver.registry.registry import Registry
from steersman.storage.store import StoreError

from .asking import Server, status
from .availability import PASSED, Verdict, conditions, failed, is_available, judge
from .backends import Address, Trusting, resolved
from .metrics import Availability
from .remote import Remote

log = logging.getLogger(__name__)

_INTERVAL = 30.0
_FIRST_RETRY = 0.1
_ATTEMPTS = 5
"""So many endpoints are asked at once; one of them has to answer."""


class Checking:
    """See the module."""

    def __init__(
        self,
        registry: Registry,
        outgoing: Outgoing,
        trusting: Trusting,
        metrics: Availability,
        allowed: Callable[[str], bool],
    ) -> None:
        self._registry = registry
        self._outgoing = outgoing
        self._trusting = trusting
        self._metrics = metrics
        self._allowed = allowed

    async def run(self, remote: Remote) -> None:
        """Look until cancelled: at once when something has changed, else every 30 s, sooner where it is not there."""
        retry = _FIRST_RETRY
        while True:
            remote.check.clear()
            good = True
            try:
                verdict = await self._verdict(remote)
                await self.write(remote.name, verdict)
                good = verdict.reason != "FailedDiscoveryCheck"
            except (StatusError, StoreError, OSError) as error:
                log.warning("the availability of %s could not be written: %s", remote.name, error)
                good = False
            except Exception:
                log.exception("looking after %s failed", remote.name)
                good = False
            delay = _INTERVAL * random.uniform(0.9, 1.0) if good else retry
            retry = _FIRST_RETRY if good else min(retry * 2, _INTERVAL)
            remote.checking = False
            try:
                async with asyncio.timeout(delay):
                    await remote.check.wait()
                    remote.checking = True
            except TimeoutError:
                continue

    async def _verdict(self, remote: Remote) -> Verdict:
        if (verdict := judge(remote.reference, *remote.around())) is not None:
            return verdict
        try:
            found = remote.addresses()
        except OSError as error:
            return failed(str(error))
        random.shuffle(found)
        asked = [asyncio.create_task(self._ask(each, remote)) for each in found[:_ATTEMPTS]]
        problem = ""
        try:
            for answer in asyncio.as_completed(asked):
                if not (problem := await answer):
                    return PASSED
        finally:
            for each in asked:
                each.cancel()
        return failed(problem)

    async def _ask(self, address: Address, remote: Remote) -> str:
        """What is wrong with an endpoint, nothing where it answers.  Its certificate is not looked at, as upstream."""
        url = f"https://{address.authority}{remote.path}"
        try:
            target = await resolved(address, self._allowed)
            code = await status(Server(self._outgoing, target, await self._trusting.unverified()), remote.path)
        except OSError as error:
            text = str(error)
            return f"failing or missing response from {url}: {text if text.startswith('Get ') else _get(url, text)}"
        if 200 <= code < 300:
            return ""
        return f"failing or missing response from {url}: bad status from {url}: {code}"

    async def write(self, name: str, verdict: Verdict) -> None:
        """Make the condition of an APIService say something."""
        handler = self._registry.handler_of(APIService)
        unavailable = False

        def change(service: APIService) -> None:
            nonlocal unavailable
            wanted = conditions(service.status.conditions, verdict, self._registry.now())
            if wanted is not None:
                unavailable = is_available(service) and verdict.status != "True"
                service.status.conditions = wanted

        self._metrics.set(name, verdict.status == "True")
        try:
            await handler.amend("", name, change)
        except StatusError as error:
            if not is_not_found(error):
                raise
            return
        if unavailable:
            self._metrics.count(name, verdict.reason)


def _get(url: str, text: str) -> str:
    return f'Get "{url}": {text}'

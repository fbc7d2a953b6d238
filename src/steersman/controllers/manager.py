"""Runs the controllers of the table."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from steersman.api.clock import SYSTEM, Clock
from steersman.client.client import Client
from steersman.client.elsewhere import ElsewhereClient
from steersman.client.local import LocalClient

from .config import ControllerManagerConfig
from .kit.controller import Controller
from .kit.manager import MakeController, Manager
from .table import TABLE

__all__ = ["ControllerManager", "ControllerManagerConfig"]

LEASE = "kube-controller-manager"


def enabled(name: str, choice: tuple[str, ...]) -> bool:
    """Whether a list such as ``("*", "-ttl-controller")`` chooses a controller; a name counts before ``*``."""
    if name in choice:
        return True
    return "*" in choice and f"-{name}" not in choice


class ControllerManager(Manager):
    """Upstream's controllers as one component.  Raises ValueError for a choice of controllers that there are not."""

    def __init__(self, config: ControllerManagerConfig, client: Client, *, clock: Clock = SYSTEM) -> None:
        known = {kind.name for kind in TABLE}
        for choice in config.controllers:
            if choice != "*" and choice.removeprefix("-") not in known:
                raise ValueError(f'"{choice}" is not in the list of known controllers: {", ".join(sorted(known))}')
        super().__init__(
            client,
            [kind for kind in TABLE if enabled(kind.name, config.controllers)],
            leader_election_id=LEASE if config.leader_elect else "",
            identity=config.identity,
            config=config,
            clock=clock,
        )
        self.config = config
        self.client = client

    @contextlib.asynccontextmanager
    async def client_for(self, make: MakeController) -> AsyncIterator[Client]:
        """The client a controller shall use.  One in the server's process is past authorization and shared."""
        if self.config.use_service_account_credentials and not isinstance(self.client, LocalClient | ElsewhereClient):
            # The HTTP client costs 10 MiB: only who needs it pays.
            from steersman.client.http import HTTPClient

            from .credentials import service_account_client

            if isinstance(self.client, HTTPClient) and isinstance(make, type) and issubclass(make, Controller):
                account = make.service_account or make.name
                async with service_account_client(self.client, account, self._clock) as client:
                    yield client
                return
        yield self.client

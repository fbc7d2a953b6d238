"""How the components of the control plane are, for ``componentstatuses``, as far as this server can tell.

The store is asked.  The scheduler and the controller manager are known either by the client they were given in this
process, which ends when one of them fails, or by the lease that they hold and renew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from steersman.api.types.coordination_v1 import Lease

from .seams import ComponentCheck, Now

FindLease = Callable[[str], Awaitable[Lease | None]]
"""A lease of ``kube-system`` by its name, which is that of the component."""

_LEASES = {"scheduler": "kube-scheduler", "controller-manager": "kube-controller-manager"}
_USER_PREFIX = "system:"


class Components:
    """The checks, under the names that upstream shows."""

    def __init__(self, store: Callable[[], Awaitable[object]], lease: FindLease, now: Now) -> None:
        self._store = store
        self._lease = lease
        self._now = now
        self._here: set[str] = set()
        self.checks: Mapping[str, ComponentCheck] = {
            "etcd-0": self._ask_store,
            **{name: self._asking(lease_name) for name, lease_name in _LEASES.items()},
        }

    def runs_here(self, user: str) -> None:
        """A user was given a client of this process."""
        self._here.add(user.removeprefix(_USER_PREFIX))

    async def _ask_store(self) -> str:
        await self._store()
        return "ok"

    def _asking(self, name: str) -> ComponentCheck:
        async def ask() -> str:
            lease = await self._lease(name)
            if lease is not None and holds(lease, self._now()):
                return "ok"
            if name in self._here:
                return "ok"
            if lease is None:
                raise LookupError(f"{name} does not run here, and nobody ever held its lease")
            raise LookupError(f"{name} does not run here, and nobody holds its lease")

        return ask


def holds(lease: Lease, now: datetime) -> bool:
    """Whether somebody holds a lease."""
    spec = lease.spec
    if not spec.holder_identity or spec.renew_time is None:
        return False
    return now < spec.renew_time + timedelta(seconds=spec.lease_duration_seconds or 0)

"""``/healthz``, ``/livez``, ``/readyz``: named checks, together or one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping

from prometheus_client.core import Metric

from steersman.api.errors import StatusError
from steersman.apiserver.http.messages import Request, Response
from steersman.storage.store import StoreError

from .measuring import Counter

Check = Callable[[], Awaitable[None]]
"""Raises where something is not well."""

_TIMEOUT = 10.0
_HEADERS = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
_TEXT = "text/plain; charset=utf-8"


async def ping() -> None:
    """The loop runs: that is all."""


class Health:
    """The three endpoints; each has its checks, in the order in which they are shown."""

    def __init__(self, healthz: Mapping[str, Check], livez: Mapping[str, Check], readyz: Mapping[str, Check]) -> None:
        self._checks = {"healthz": healthz, "livez": livez, "readyz": readyz}
        self._last = Counter("kubernetes_healthcheck", "The last result of a check.", ("name", "type"), gauge=True)
        self._results = Counter("kubernetes_healthchecks_total", "Results of checks.", ("name", "status", "type"))

    def collect(self) -> Iterator[Metric]:
        """The metrics of all checks."""
        yield from self._last.collect()
        yield from self._results.collect()

    def paths(self) -> list[str]:
        """All that is answered here."""
        return [
            path
            for endpoint, checks in self._checks.items()
            for path in (f"/{endpoint}", *(f"/{endpoint}/{name}" for name in checks))
        ]

    async def respond(self, request: Request) -> Response | None:
        """The answer, None for other paths."""
        endpoint, _, name = request.path[1:].partition("/")
        checks = self._checks.get(endpoint)
        if checks is None:
            return None
        if name:
            if name not in checks:
                return None
            reason = await self._failure(endpoint, name, checks[name])
            if reason:
                return Response(f"internal server error: {reason}\n".encode(), 500, _TEXT, _HEADERS)
            return Response(b"ok", 200, _TEXT, _HEADERS)
        excluded = set(request.query.get("exclude", []))
        lines: list[str] = []
        failed = False
        for check, run in checks.items():
            if check in excluded:
                excluded.discard(check)
                lines.append(f"[+]{check} excluded: ok")
                continue
            reason = await self._failure(endpoint, check, run)
            failed = failed or bool(reason)
            lines.append(f"[-]{check} failed: reason withheld" if reason else f"[+]{check} ok")
        if excluded:
            names = ", ".join(f'"{name}"' for name in sorted(excluded))
            lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
        if failed:
            return Response("\n".join([*lines, f"{endpoint} check failed\n"]).encode(), 500, _TEXT, _HEADERS)
        if "verbose" not in request.query:
            return Response(b"ok", 200, _TEXT, _HEADERS)
        return Response("\n".join([*lines, f"{endpoint} check passed\n"]).encode(), 200, _TEXT, _HEADERS)

    async def _failure(self, endpoint: str, name: str, check: Check) -> str:
        reason = ""
        try:
            async with asyncio.timeout(_TIMEOUT):
                await check()
        except (StatusError, StoreError, OSError, RuntimeError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        self._last.values[name, endpoint] = 0 if reason else 1
        self._results.add((name, "error" if reason else "success", endpoint))
        return reason

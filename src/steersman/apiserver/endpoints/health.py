"""``/healthz``, ``/livez``, ``/readyz``: named checks, together or one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from steersman.api.errors import StatusError
from steersman.apiserver.http.messages import Request, Response

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
            reason = await self._failure(checks[name])
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
            reason = await self._failure(run)
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

    @staticmethod
    async def _failure(check: Check) -> str:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await check()
        except (StatusError, OSError, RuntimeError, TimeoutError) as error:
            return str(error) or type(error).__name__
        return ""

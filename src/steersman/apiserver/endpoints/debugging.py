"""``/debug``: what this process does, and how much it tells in its log.  Served only where it was asked for.

Paths and forms are those of Go's ``net/http/pprof``, as far as Python has something to say there: CPU profiles, the
stacks of threads and tasks in place of goroutines, the command line.  Paths of what it has not are 404.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from pathlib import Path

from steersman.api.errors import bad_request
from steersman.apiserver.http.messages import Request, Response

from . import profiling

_TEXT = "text/plain; charset=utf-8"
_HEADERS = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
_LONGEST = 300.0
_PROFILES = {
    "cmdline": "The command line of this process",
    "goroutine": "Stacks of all threads and tasks; debug=1 is for people to read",
    "profile": "CPU profile; seconds says how long",
}
_DEBUG_LEVEL = 4
"""From this verbosity on the log tells what is for debugging: klog's level for that."""


class Debugging:
    """Answers; one CPU profile is taken at a time, as Go has it."""

    def __init__(self) -> None:
        self._profiling = False
        self._verbosity = _DEBUG_LEVEL if logging.getLogger().isEnabledFor(logging.DEBUG) else 2

    async def respond(self, request: Request) -> Response | None:
        """The answer, None for other paths."""
        match request.path.rstrip("/").removeprefix("/debug").split("/")[1:]:
            case ["flags", "v"] if request.method in ("GET", "PUT"):
                return self._flag(request)
            case ["pprof"] if request.method == "GET":
                return _text("".join(f"/debug/pprof/{name}\t{text}\n" for name, text in _PROFILES.items()))
            case ["pprof", "cmdline"]:
                return _text(Path("/proc/self/cmdline").read_text(encoding="utf-8", errors="replace"))
            case ["pprof", "goroutine"]:
                return _text(_stacks())
            case ["pprof", "profile"]:
                return await self._profile(request)
        return None

    def _flag(self, request: Request) -> Response:
        if request.method == "PUT":
            text = request.body.decode("utf-8", "replace").strip()
            if not text.isdecimal() or len(text) > 3:
                raise bad_request(f'error setting logging verbosity to "{text}": not a natural number')
            self._verbosity = int(text)
            logging.getLogger().setLevel(logging.DEBUG if self._verbosity >= _DEBUG_LEVEL else logging.INFO)
            return _text(f"successfully set klog.logging.verbosity to {text}")
        return _text(str(self._verbosity))

    async def _profile(self, request: Request) -> Response:
        try:
            seconds = float(request.parameter("seconds", "30"))
        except ValueError:
            seconds = 30.0
        if not 0 < seconds <= _LONGEST:
            raise bad_request(f"seconds must be more than 0 and at most {_LONGEST:.0f}")
        if self._profiling:
            return _text("Could not enable CPU profiling: cpu profiling already in use\n", 500)
        self._profiling, began, stop = True, time.time(), threading.Event()
        try:
            found = await asyncio.to_thread(profiling.sample, seconds, stop)
            body = await asyncio.to_thread(profiling.profile, found, began, seconds)
        finally:
            stop.set()
            self._profiling = False
        disposition = {"Content-Disposition": 'attachment; filename="profile"'}
        return Response(body, 200, "application/octet-stream", {**_HEADERS, **disposition})


def _stacks() -> str:
    """Every thread and every task, with the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for identity, frame in sys._current_frames().items():
        parts.append(f"thread {identity} [{names.get(identity, 'not of Python')}]:\n")
        parts += traceback.format_stack(frame)
    for task in sorted(asyncio.all_tasks(), key=lambda each: each.get_name()):
        parts.append(f"\ntask {task.get_name()}:\n")
        for frame in task.get_stack():
            parts += traceback.format_stack(frame, 1)
    return "".join(parts)


def _text(body: str, status: int = 200) -> Response:
    return Response(body.encode(), status, _TEXT, _HEADERS)

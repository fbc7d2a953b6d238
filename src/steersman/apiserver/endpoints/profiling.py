"""Samples of what the threads of this process do, in pprof's format.

A thread of its own looks at the frames of all others a hundred times a second.  It needs the interpreter for that, so
what C code does while it holds it is seen as its caller's line.
"""

from __future__ import annotations

import gzip
import sys
import threading
import time
from collections import Counter
from types import FrameType
from typing import Any, NamedTuple

PERIOD = 0.01
"""Seconds between samples; Go's profiler takes a hundred a second, too."""

DEEPEST = 200


class Line(NamedTuple):
    """A line of a function."""

    name: str
    file: str
    first: int
    line: int


Stack = tuple[Line, ...]
"""The innermost call first."""


def sample(seconds: float, stop: threading.Event) -> Counter[Stack]:
    """Look at all other threads for a while, or until told to stop; how often each stack was seen."""
    found: Counter[Stack] = Counter()
    end, own = time.monotonic() + seconds, threading.get_ident()
    while time.monotonic() < end and not stop.wait(PERIOD):
        for thread, frame in sys._current_frames().items():
            if thread != own and not _waits(frame):
                found[stack(frame)] += 1
    return found


def stack(frame: FrameType | None) -> Stack:
    """The calls that led to a frame."""
    lines: list[Line] = []
    while frame is not None and len(lines) < DEEPEST:
        code = frame.f_code
        lines.append(Line(code.co_qualname, code.co_filename, code.co_firstlineno, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(lines)


def _waits(frame: FrameType) -> bool:
    """Whether a thread does nothing: it waits for work, or the loop waits for events."""
    return frame.f_code.co_name in ("wait", "_worker", "accept", "select", "get", "run_until_complete", "run")


def profile(found: Counter[Stack], began: float, seconds: float) -> bytes:
    """A gzipped ``perftools.profiles.Profile``."""
    from steersman.api.protobuf import load

    messages: Any = load("steersman.apiserver.endpoints", "profile.proto")
    texts: dict[str, int] = {"": 0}

    def text(value: str) -> int:
        return texts.setdefault(value, len(texts))

    result = messages.Profile(time_nanos=int(began * 1e9), duration_nanos=int(seconds * 1e9), period=int(PERIOD * 1e9))
    for type_, unit in (("samples", "count"), ("cpu", "nanoseconds")):
        result.sample_type.add(type=text(type_), unit=text(unit))
    result.period_type.type, result.period_type.unit = text("cpu"), text("nanoseconds")
    functions: dict[tuple[str, str, int], int] = {}
    locations: dict[Line, int] = {}
    for lines, count in found.items():
        added = result.sample.add(value=[count, int(count * PERIOD * 1e9)])
        for line in lines:
            if line not in locations:
                key = line[:3]
                if key not in functions:
                    functions[key] = len(functions) + 1
                    name = text(line.name)
                    result.function.add(
                        id=functions[key], name=name, system_name=name, filename=text(line.file), start_line=line.first
                    )
                locations[line] = len(locations) + 1
                result.location.add(id=locations[line]).line.add(function_id=functions[key], line=line.line)
            added.location_id.append(locations[line])
    result.string_table.extend(texts)
    return gzip.compress(result.SerializeToString())

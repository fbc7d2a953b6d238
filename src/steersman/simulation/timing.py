"""How long stages wait: drawn from a span, or as an annotation of the object says.

The annotations are kwok's: ``STAGE.stage.kwok.x-k8s.io/delay``, with ``…/jitter-delay`` for the end of the span.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .durations import parse_duration
from .stage import Subject

SUFFIX = ".stage.kwok.x-k8s.io/"


def between(name: str, low: float, high: float) -> Callable[[Subject], float]:
    """Seconds between two numbers."""
    start, end = f"{name}{SUFFIX}delay", f"{name}{SUFFIX}jitter-delay"

    def delay(subject: Subject) -> float:
        annotations = subject.object.metadata.annotations
        if not annotations or (start not in annotations and end not in annotations):
            return subject.rng.uniform(low, high)
        first = _said(annotations.get(start), low)
        last = _said(annotations.get(end), first if start in annotations else high)
        return subject.rng.uniform(first, last) if last > first else last

    return delay


def at_random(name: str, mean: float) -> Callable[[Subject], float]:
    """Seconds until what happens at any moment with the same likelihood."""
    said = between(name, -1.0, -1.0)

    def delay(subject: Subject) -> float:
        seconds = said(subject)
        return seconds if seconds >= 0 else -math.log(1.0 - subject.rng.random()) * mean

    return delay


def _said(text: str | None, otherwise: float) -> float:
    try:
        return parse_duration(text) if text is not None else otherwise
    except ValueError:
        return otherwise

"""What is said of a cluster when a test fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cluster import Cluster
    from .fault import Fault
    from .requests import RecordedRequest

MOST_EVENTS = 30
MOST_REQUESTS = 30


def sections(cluster: Cluster, since: float) -> Iterator[tuple[str, str]]:
    """Titles and texts: the newest events, and since that second the faults and what clients asked for last.

    Nothing that fails here hides why the test failed.
    """
    namespace = "" if cluster.namespace == "default" else cluster.namespace
    asks: dict[str, Callable[[], Iterable[str]]] = {
        "Kubernetes events": lambda: cluster.event_lines(namespace, MOST_EVENTS),
        "Kubernetes faults": lambda: fault_lines(cluster.faults.last, since),
        "Kubernetes requests": lambda: request_lines(cluster.requests.all(), since),
    }
    for title, ask in asks.items():
        try:
            lines = list(ask())
        except Exception as error:
            lines = [f"cannot be told: {error!r}"]
        if lines:
            yield title, "\n".join(lines)


def fault_lines(faults: Iterable[Fault], since: float) -> list[str]:
    """The faults, a line each: how many they have befallen, and what was asked for."""
    return [fault.told for fault in faults if fault.begun >= since]


def request_lines(requests: Iterable[RecordedRequest], since: float) -> list[str]:
    """The last of the requests, a line each: answer, time, verb, what, by whom."""
    found = [each for each in requests if each.received >= since]
    return [_line(each) for each in found[-MOST_REQUESTS:]]


def _line(request: RecordedRequest) -> str:
    what = request.path
    if request.resource:
        kind = f"{request.resource}.{request.group}" if request.group else request.resource
        kind = f"{kind}/{request.subresource}" if request.subresource else kind
        name = "/".join(part for part in (request.namespace, request.name) if part)
        what = f"{kind} {name}".rstrip()
    agent = request.user_agent.partition(" ")[0]
    by = f"{request.user} ({agent})" if agent else request.user
    return f"{request.code or 'cut':>3} {request.seconds * 1000:7.1f} ms  {request.verb:<16} {what}  by {by}"

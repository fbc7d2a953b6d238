"""What is said of a cluster when a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cluster import Cluster

MOST_EVENTS = 30
MOST_REQUESTS = 30


def sections(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Titles and texts: the newest events, and what clients asked for last.  Nothing that fails hides the failure."""
    namespace = "" if cluster.namespace == "default" else cluster.namespace
    for title, lines in (("events of the cluster", lambda: cluster.event_lines(namespace, MOST_EVENTS)),):
        try:
            told = lines()
        except Exception as error:
            told = [f"cannot be had: {error!r}"]
        if told:
            yield title, "\n".join(told)

"""Stale UDP flows: the kernel keeps sending a flow to the endpoint it once chose, until its entry is removed.

Decisions are pure (:func:`stale`); the table is read and changed through the ``conntrack`` program.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .state import ServiceState

log = logging.getLogger(__name__)


class Flow(NamedTuple):
    """One UDP flow: as its sender sees it, and who answers."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    answers: str
    answers_port: int


Frontends = Mapping[tuple[str, int], frozenset[tuple[str, int]]]
"""(address, port) → the endpoints that may answer; the address is empty for a NodePort."""

_FLOW = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) (?:\[\w+\] )?src=(\S+) dst=\S+ sport=(\d+) dport=\d+")


def frontends(services: Iterable[ServiceState]) -> Frontends:
    """Where UDP services are reached, and who may answer there."""
    result: dict[tuple[str, int], frozenset[tuple[str, int]]] = {}
    for service in services:
        for port in service.ports:
            if port.protocol != "udp":
                continue
            result[port.cluster_ip, port.port] = frozenset(port.internal_endpoints)
            reachable = frozenset(port.all_endpoints)
            for ip in (*port.external_ips, *port.load_balancer_ips):
                result[ip, port.port] = reachable
            if port.node_port:
                result["", port.node_port] = reachable
    return result


def parse(text: str) -> list[Flow]:
    """Read what ``conntrack -L -p udp`` prints."""
    return [
        Flow(match[1], int(match[3]), match[2], int(match[4]), match[5], int(match[6]))
        for match in _FLOW.finditer(text)
    ]


def stale(flows: Iterable[Flow], services: Frontends) -> list[Flow]:
    """The flows to a service that somebody answers who no longer may.

    A flow that was never translated (its destination answers) is stale as soon as the service has an endpoint.
    """
    result = []
    for flow in flows:
        allowed = services.get((flow.destination, flow.destination_port))
        if allowed is None:
            allowed = services.get(("", flow.destination_port))
            if allowed is None or flow.answers == flow.destination:
                continue  # no service, or a socket of the node's own
        if (flow.answers, flow.answers_port) not in allowed and (allowed or flow.answers != flow.destination):
            result.append(flow)
    return result


def clean(services: Frontends) -> int:
    """Remove stale flows; returns how many.  Blocks: call it in a thread."""
    program = shutil.which("conntrack", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if not services or program is None:
        if services:
            log.warning("conntrack is not installed: UDP clients may keep talking to endpoints that are gone")
        return 0
    listed = subprocess.run(
        [program, "-L", "-f", "ipv4", "-p", "udp"], capture_output=True, text=True, timeout=30, check=False
    )
    found = stale(parse(listed.stdout), services)
    for flow in found:
        command = [program, "-D", "-f", "ipv4", "-p", "udp", "-s", flow.source, "-d", flow.destination]
        command += ["--sport", str(flow.source_port), "--dport", str(flow.destination_port)]
        subprocess.run(command, capture_output=True, timeout=30, check=False)  # gone already is as good
    return len(found)

"""Metrics of the request path, under upstream's names, in a registry of this server's own."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from steersman.apiserver.http.messages import Request, Response

from .request_info import RequestInfo

_BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_VERBS = {"get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
          "delete": "DELETE", "deletecollection": "DELETECOLLECTION"}  # fmt: skip
_MOST_SERIES = 5000

LONG_RUNNING_SUBRESOURCES = frozenset({"attach", "exec", "log", "portforward", "proxy"})


def is_long_running(info: RequestInfo) -> bool:
    """Whether a request may last: watches, and what streams."""
    return info.is_resource and (info.verb in ("watch", "proxy") or (info.subresource in LONG_RUNNING_SUBRESOURCES))


class Metrics:
    """What requests count into; the children of each combination of labels are looked up once."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version")
        self._total = Counter(
            "apiserver_request",
            "Requests, by what they asked for and the code of the answer.",
            ("code", *labels),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "apiserver_request_duration_seconds",
            "How long answers took.",
            labels,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        inflight = Gauge(
            "apiserver_current_inflight_requests",
            "Requests under way, by kind.",
            ("request_kind",),
            registry=self.registry,
        )
        self.inflight = {True: inflight.labels("mutating"), False: inflight.labels("readOnly")}
        self._long = Gauge(
            "apiserver_longrunning_requests",
            "Open watches and streams.",
            ("component", "group", "resource", "scope", "subresource", "verb", "version"),
            registry=self.registry,
        )
        self._terminations = Counter(
            "apiserver_request_terminations",
            "Requests that were refused to protect the server.",
            ("code", "component", "group", "resource", "scope", "subresource", "verb", "version"),
            registry=self.registry,
        )
        self._counters: dict[tuple[str, ...], Counter] = {}
        self._histograms: dict[tuple[str, ...], Histogram] = {}

    def observe(self, info: RequestInfo, code: int, seconds: float, *, dry_run: str = "") -> None:
        """Count an answered request."""
        key = self._labels(info, dry_run)
        counted = (str(code), *key)
        if (counter := self._counters.get(counted)) is None:
            if len(self._counters) > _MOST_SERIES:
                return
            counter = self._counters[counted] = self._total.labels(*counted)
        counter.inc()
        if is_long_running(info):
            return
        if (histogram := self._histograms.get(key)) is None:
            histogram = self._histograms[key] = self._seconds.labels(*key)
        histogram.observe(seconds)

    @staticmethod
    def _labels(info: RequestInfo, dry_run: str = "") -> tuple[str, ...]:
        if not info.is_resource:
            return ("apiserver", dry_run, "", "", "", "", info.verb.upper(), "")
        scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
        verb = _VERBS.get(info.verb, info.verb.upper())
        if info.subresource in LONG_RUNNING_SUBRESOURCES and info.subresource != "log":
            verb = "CONNECT"
        return ("apiserver", dry_run, info.group, info.resource, scope, info.subresource, verb, info.version)

    def long_running(self, info: RequestInfo) -> Gauge:
        """The gauge of open streams of a kind."""
        component, _, *rest = self._labels(info)
        group, resource, scope, subresource, verb, version = rest
        return self._long.labels(component, group, resource, scope, subresource, verb, version)

    def refused(self, info: RequestInfo, code: int) -> None:
        """Count a request that was refused for load."""
        component, _, group, resource, scope, subresource, verb, version = self._labels(info)
        self._terminations.labels(str(code), component, group, resource, scope, subresource, verb, version).inc()

    async def respond(self, request: Request) -> Response | None:
        """``/metrics``, written off the loop; None for other paths."""
        if request.path != "/metrics":
            return None
        body = await asyncio.get_running_loop().run_in_executor(None, generate_latest, self.registry)
        return Response(body, 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")

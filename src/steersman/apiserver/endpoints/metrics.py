"""``/metrics``: what requests, and those who serve them, count into, under upstream's names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from steersman.api.user import User
from steersman.apiserver.http.messages import Request, Response
from steersman.client.distribution import Distribution

from .admission_metrics import AdmissionMetrics
from .measuring import MOST_SERIES, Counter, Histogram, Labels
from .request_info import RequestInfo

SECONDS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
)  # fmt: skip
_FINER_THAN_SLI = 2
_SIZES = tuple(10.0**power for power in range(3, 10))
_BRIEF = tuple(0.001 * 2**power for power in range(15))
_REQUEST = ("group", "version", "resource", "subresource", "scope", "verb")
_VERBS = {"get": "GET", "list": "LIST", "watch": "WATCH", "create": "POST", "update": "PUT", "patch": "PATCH",
          "delete": "DELETE", "deletecollection": "DELETECOLLECTION"}  # fmt: skip
_NAMED_PATHS = frozenset({"/healthz", "/livez", "/metrics", "/readyz", "/version"})
_KNOWN_USERS = frozenset({"admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"})

LONG_RUNNING_SUBRESOURCES = frozenset({"attach", "exec", "log", "portforward", "proxy"})

_TEXT = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"


def is_long_running(info: RequestInfo) -> bool:
    """Whether a request may last: watches, and what streams."""
    return info.is_resource and (info.verb in ("watch", "proxy") or (info.subresource in LONG_RUNNING_SUBRESOURCES))


class _Answered:
    """What is known of the answers to requests of one kind."""

    __slots__ = ("codes", "labels", "seconds", "sizes")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.codes: dict[int, int] = {}
        self.seconds = Distribution(SECONDS)
        self.sizes = Distribution(_SIZES)


class Source(Protocol):
    """Something else that has numbers to show."""

    def collect(self) -> Iterable[Metric]: ...


class Metrics:
    """Counts requests; ``add`` takes further sources, ``before`` what has to be asked for them before each answer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.inflight = {True: 0, False: 0}
        self._slis = CollectorRegistry()
        self._answered: dict[tuple[object, ...], _Answered] = {}
        self._long = Counter(
            "apiserver_longrunning_requests", "Open watches and streams.", ("component", *_REQUEST), gauge=True
        )
        self._terminations = Counter(
            "apiserver_request_terminations_total",
            "Requests that were refused or ended to protect the server.",
            ("code", "component", *_REQUEST),
        )
        self._users = Counter("authenticated_user_requests", "Requests, by who made them.", ("username",))
        self._attempts = Counter("authentication_attempts", "Authentications, by result.", ("result",))
        self._authentication = Histogram(
            "authentication_duration_seconds", "How long authentication took.", ("result",), _BRIEF
        )
        self._decisions = Counter("authorization_attempts_total", "Authorizations, by result.", ("result",))
        self._authorization = Histogram(
            "authorization_duration_seconds", "How long authorization took.", ("result",), _BRIEF
        )
        self.admission = AdmissionMetrics()
        self._deprecated = Counter(
            "apiserver_requested_deprecated_apis",
            "Deprecated resources that were asked for since the start.",
            ("group", "version", "resource", "subresource", "removed_release"),
            gauge=True,
        )
        self._before: list[Callable[[], Awaitable[None]]] = []
        ProcessCollector(registry=self.registry)
        self.add(
            self, self._long, self._terminations, self._users, self._attempts, self._authentication, self._decisions,
            self._authorization, self.admission, self._deprecated,
        )  # fmt: skip

    def add(self, *sources: Source) -> None:
        """Show more."""
        for source in sources:
            self.registry.register(_Collecting(source))

    def add_slis(self, source: Source) -> None:
        """Show more, also under ``/metrics/slis``."""
        self.add(source)
        self._slis.register(_Collecting(source))

    def before(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Call this before each answer."""
        self._before.append(ask)

    # -- counting ------------------------------------------------------------------------------------------------

    def observe(
        self, info: RequestInfo, code: int, seconds: float, *, dry_run: str = "", size: int = 0, apply: bool = False
    ) -> None:
        """Count an answered request."""
        path = info.path if not info.is_resource and info.path in _NAMED_PATHS else ""
        key = (info.group, info.version, info.resource, info.subresource, info.verb, bool(info.name),
               bool(info.namespace), dry_run, path, apply)  # fmt: skip
        if (answered := self._answered.get(key)) is None:
            if len(self._answered) >= MOST_SERIES:
                return
            answered = self._answered[key] = _Answered((dry_run, *_labels(info, path, apply)))
        answered.codes[code] = answered.codes.get(code, 0) + 1
        if not is_long_running(info):
            answered.seconds.observe(seconds)
            if size and info.verb in ("get", "list"):
                answered.sizes.observe(size)

    def long_running(self, info: RequestInfo, change: int) -> None:
        """A stream of a kind was opened (1), or ended (-1)."""
        self._long.add(("apiserver", *_labels(info)), change)

    def refused(self, info: RequestInfo, code: int, component: str = "apiserver") -> None:
        """Count a request that was refused for load, ended for time, or could not be passed on."""
        self._terminations.add((str(code), component, *_labels(info)))

    def authenticated(self, user: User | None, seconds: float) -> None:
        """Count who makes a request; None where nobody vouches for the caller."""
        result = "success" if user is not None else "failure"
        self._attempts.add((result,))
        self._authentication.observe((result,), seconds)
        if user is not None:
            name = user.name
            self._users.add((name if name in _KNOWN_USERS else "email_id" if "@" in name else "other",))

    def authorized(self, allowed: bool, seconds: float) -> None:
        """Count a decision."""
        result = "allowed" if allowed else "denied"
        self._decisions.add((result,))
        self._authorization.observe((result,), seconds)

    def deprecated(self, info: RequestInfo, removed_release: str = "") -> None:
        """Note that somebody uses what will go."""
        labels = (info.group, info.version, info.resource, info.subresource, removed_release)
        self._deprecated.set(labels, 1)

    # -- showing -------------------------------------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """The metrics of requests."""
        kinds = list(self._answered.values())
        total = Counter(
            "apiserver_request_total",
            "Requests, by what they asked for and the code of the answer.",
            ("code", "component", "dry_run", *_REQUEST),
        )
        for kind in kinds:
            dry_run, *rest = kind.labels
            for code, count in list(kind.codes.items()):
                total.add((str(code), "apiserver", dry_run, *rest), count)
        yield from total.collect()
        seconds = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "How long answers took.", labels=("component", "dry_run", *_REQUEST)
        )
        sli = HistogramMetricFamily(
            "apiserver_request_sli_duration_seconds",
            "How long answers took, without the time of others.",
            labels=("component", *_REQUEST),
        )
        sizes = HistogramMetricFamily(
            "apiserver_response_sizes", "The bytes of answers to reads.", labels=("component", *_REQUEST)
        )
        merged: dict[Labels, list[Distribution]] = {}
        for kind in kinds:
            dry_run, *rest = kind.labels
            merged.setdefault(tuple(rest), []).append(kind.seconds)
            if any(kind.seconds.counts):
                seconds.add_metric(("apiserver", dry_run, *rest), kind.seconds.buckets(), kind.seconds.total)
            if any(kind.sizes.counts):
                sizes.add_metric(("apiserver", *rest), kind.sizes.buckets(), kind.sizes.total)
        for labels, parts in merged.items():
            both = _sum(parts)
            if any(both.counts):
                sli.add_metric(("apiserver", *labels), both.buckets(_FINER_THAN_SLI), both.total)
        yield from (seconds, sli, sizes)
        inflight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests under way, by kind.", labels=("request_kind",)
        )
        inflight.add_metric(("mutating",), self.inflight[True])
        inflight.add_metric(("readOnly",), self.inflight[False])
        yield inflight

    async def respond(self, request: Request) -> Response | None:
        """``/metrics``, written off the loop, or ``/metrics/slis``; None for other paths."""
        if request.path == "/metrics/slis":
            return Response(generate_latest(self._slis), 200, _TEXT, {"Cache-Control": "no-cache, private"})
        if request.path != "/metrics":
            return None
        for ask in self._before:
            await ask()
        body = await asyncio.get_running_loop().run_in_executor(None, generate_latest, self.registry)
        return Response(body, 200, _TEXT, {"Cache-Control": "no-cache, private"})


class _Collecting(Collector):
    """A source, as the library has it; it is not asked while it is registered."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._source.collect()


def _labels(info: RequestInfo, path: str = "", apply: bool = False) -> Labels:
    if not info.is_resource:
        return ("", "", "", path, "", info.verb.upper())
    named = info.name or info.verb == "create"
    scope = "resource" if named else "namespace" if info.namespace else "cluster"
    verb = "APPLY" if apply else _VERBS.get(info.verb, info.verb.upper())
    if info.subresource in LONG_RUNNING_SUBRESOURCES and info.subresource != "log":
        verb = "CONNECT"
    return (info.group, info.version, info.resource, info.subresource, scope, verb)


def _sum(parts: list[Distribution]) -> Distribution:
    both = Distribution(SECONDS)
    for part in parts:
        both.counts = [one + other for one, other in zip(both.counts, part.counts, strict=True)]
        both.total += part.total
    return both

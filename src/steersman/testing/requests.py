"""What clients asked of the cluster over HTTPS, to be asserted on.

    made = cluster.requests.of(user="jane", verb="patch", resource="deployments")
    assert not made                                     # shows the requests where there are some

    with cluster.requests.recording() as recorded:      # from here on, with bodies
        operator.step()
    assert [each.code for each in recorded.of(verb="create")] == [201]

What a client has the answer of is there.  The newest are kept, so many as fit; bodies are kept by a recording alone.
What components in the cluster's own thread do is not asked over HTTPS, and is not here.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import msgspec

from steersman.apiserver.endpoints.auditing import Event, event_of
from steersman.apiserver.endpoints.exchange import Exchange, Observer
from steersman.apiserver.http.messages import Request, Response

from . import numbers
from .selection import Pattern, fits, named_in
from .vocabulary import Vocabulary

__tracebackhide__ = True  # pytest shows what the test asked for

LIMIT = 10_000
"""So many requests are remembered."""

SHOWN = 50
"""So many of them are shown where an assertion fails."""


class RecordedRequest:
    """One request.  ``code`` is 0 where the connection was cut instead of an answer; ``seconds`` is until the answer.

    A watch or another stream is there once it begins, and ``ended`` once it is over.
    """

    __slots__ = ("_exchange", "ended", "name", "request_body", "response_body")

    def __init__(self, exchange: Exchange, bodies: bool) -> None:
        self.ended = exchange.stage != "ResponseStarted"
        self.request_body: bytes | None = exchange.request.body if bodies else None
        body = _body(exchange, bodies)
        self.response_body: bytes | None = body
        self.name = exchange.info.name or _created(exchange)
        # What is large, or is used again, is let go of.
        self._exchange = _light(exchange)

    @property
    def verb(self) -> str:
        """As RBAC knows it: ``list``, ``watch``, ``deletecollection``; for what is no resource, the method."""
        return self._exchange.info.verb

    @property
    def user(self) -> str:
        """In whose name it was made."""
        return self._exchange.request.user.name

    @property
    def groups(self) -> tuple[str, ...]:
        return self._exchange.request.user.groups

    @property
    def user_agent(self) -> str:
        return self._exchange.request.headers.get("user-agent", "")

    @property
    def group(self) -> str:
        """The API group, empty for the core's."""
        return self._exchange.info.group

    @property
    def resource(self) -> str:
        """Its plural name; empty for what is no resource."""
        return self._exchange.info.resource

    @property
    def subresource(self) -> str:
        return self._exchange.info.subresource

    @property
    def namespace(self) -> str:
        return self._exchange.info.namespace

    @property
    def path(self) -> str:
        return self._exchange.info.path

    @property
    def query(self) -> str:
        return self._exchange.request.query_string

    @property
    def code(self) -> int:
        return self._exchange.code

    @property
    def received(self) -> float:
        """When it came, in seconds since the epoch."""
        return self._exchange.received

    @property
    def seconds(self) -> float:
        return self._exchange.seconds

    def request_object(self) -> Any:
        """The body that was sent, read as JSON; raises ValueError where it was not recorded."""
        return _read(self.request_body)

    def response_object(self) -> Any:
        """The body that was answered, read as JSON; raises ValueError where it was not recorded."""
        return _read(self.response_body)

    def event(self) -> Event:
        """The event that an audit log would have."""
        return event_of(self._exchange, self.request_body, self.response_body)

    def __repr__(self) -> str:
        info = self._exchange.info
        what = info.path
        if info.is_resource:
            what = f"{info.resource}.{info.group}" if info.group else info.resource
            if info.subresource:
                what += f"/{info.subresource}"
            if name := "/".join(part for part in (info.namespace, self.name) if part):
                what += f" {name}"
        agent = self.user_agent.partition(" ")[0]
        code = str(self.code) if self.code else "cut"
        by = f"{self.user} ({agent})" if agent else self.user
        return f"<{info.verb} {what}: {code}, {by}, {self.seconds * 1000:.1f} ms>"


class Queryable(ABC):
    """What holds requests.  With a vocabulary, who asks for what there is not is told so."""

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        self._vocabulary = vocabulary

    @abstractmethod
    def all(self) -> RequestList:
        """All of them."""

    def of(
        self,
        *,
        user: Pattern = "*",
        verb: Pattern = "*",
        resource: Pattern = "*",
        subresource: Pattern | None = None,
        namespace: Pattern = "*",
        name: Pattern = "*",
        user_agent: Pattern = "*",
        path: Pattern = "*",
        code: int | Iterable[int] | None = None,
    ) -> RequestList:
        """Those that fit all of it.  ``resource`` is ``deployments`` or ``deployments.apps``.

        Raises ValueError, TypeError for words that fit nothing that there is: see :mod:`.vocabulary`.
        """
        everything = self.all()
        if self._vocabulary is not None:
            asked = {each.resource for each in everything} if resource != "*" else ()
            where = {"user": user, "verb": verb, "resource": resource, "subresource": subresource, "path": path}
            where |= {"namespace": namespace, "name": name, "user_agent": user_agent}
            self._vocabulary.check(where, asked)
        codes = None if code is None else {code} if isinstance(code, (int, str)) else set(code)
        for each in codes or ():
            numbers.whole("code", each)
        chosen = [
            each
            for each in everything
            if fits(verb, each.verb)
            and fits(user, each.user)
            and (fits(resource, each.resource) or fits(resource, f"{each.resource}.{each.group}"))
            and (subresource is None or fits(subresource, each.subresource))
            and fits(namespace, each.namespace)
            and fits(name, each.name)
            and fits(user_agent, each.user_agent)
            and fits(path, each.path)
            and (codes is None or each.code in codes)
        ]
        return RequestList(chosen, self._vocabulary)


class RequestList(Queryable, Sequence[RecordedRequest]):
    """Requests in the order in which they were answered."""

    def __init__(self, items: Iterable[RecordedRequest] = (), vocabulary: Vocabulary | None = None) -> None:
        super().__init__(vocabulary)
        self._items = tuple(items)

    def all(self) -> RequestList:
        return self

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> RequestList: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | RequestList:
        found = self._items[index]
        return found if isinstance(found, RecordedRequest) else RequestList(found, self._vocabulary)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """In one line, which pytest shows as it is."""
        return f"[{', '.join(self._shown())}]"

    def __str__(self) -> str:
        """A line each."""
        return "\n".join(self._shown()) or "no requests"

    def _shown(self) -> list[str]:
        shown = [repr(each) for each in self._items[-SHOWN:]]
        return [f"… {len(self) - SHOWN} before these", *shown] if len(self) > SHOWN else shown


class Requests(Queryable):
    """See the module.  It may be used from any thread."""

    def __init__(self, limit: int = LIMIT, *, bodies: bool = False, vocabulary: Vocabulary | None = None) -> None:
        super().__init__(vocabulary)
        self._kept: deque[RecordedRequest] = deque(maxlen=limit)
        self._open: dict[str, RecordedRequest] = {}
        """Streams that go on, by their audit id."""
        self._limit = limit
        self._bodies = bodies
        self._recordings: list[Observer] = []

    def observe(self, exchange: Exchange) -> None:
        """Remember a request; on the cluster's loop."""
        for record in tuple(self._recordings):
            record(exchange)
        audit_id = exchange.request.audit_id
        if exchange.stage == "ResponseComplete" and (known := self._open.pop(audit_id, None)) is not None:
            known.ended = True
            return
        recorded = RecordedRequest(exchange, self._bodies)
        self._kept.append(recorded)
        if not recorded.ended and len(self._open) < self._limit:
            self._open[audit_id] = recorded

    def all(self) -> RequestList:
        return RequestList(self._kept.copy(), self._vocabulary)

    def clear(self) -> None:
        """Remember nothing of what was."""
        self._kept.clear()

    @contextlib.contextmanager
    def recording(self, *, bodies: bool = True, limit: int = LIMIT) -> Iterator[Requests]:
        """Those of a block, with their bodies; they stay known after it."""
        recorded = Requests(limit, bodies=bodies, vocabulary=self._vocabulary)
        self._recordings.append(recorded.observe)
        try:
            yield recorded
        finally:
            self._recordings.remove(recorded.observe)

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> RequestList: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | RequestList:
        return self.all()[index]

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return repr(self.all())

    def __str__(self) -> str:
        return str(self.all())


def _read(body: bytes | None) -> Any:
    if body is None:
        raise ValueError("bodies are kept while they are recorded: with cluster.requests.recording() as recorded")
    return msgspec.json.decode(body) if body else None


def _light(exchange: Exchange) -> Exchange:
    """Without bodies, and with nothing that others go on to change."""
    full = exchange.request
    headers = {"user-agent": full.headers.get("user-agent", "")}
    request = Request(full.method, full.raw_path, full.path, full.query_string, headers, b"", remote=full.remote)
    request.user, request.impersonator, request.audit_id = full.user, full.impersonator, full.audit_id
    request._annotations = full._annotations
    answer = Response(b"", exchange.code) if exchange.answer is not None else None
    return exchange._replace(request=request, answer=answer)


def _body(exchange: Exchange, bodies: bool) -> bytes | None:
    """What was answered; of errors always."""
    answer = exchange.answer
    if not isinstance(answer, Response) or not (bodies or answer.status >= 400) or answer.later is not None:
        return None
    if not isinstance(answer.body, bytes):
        answer.body = tuple(answer.body)  # buffers that are made while they are written are made now
        return b"".join(answer.body)
    return answer.body


def _created(exchange: Exchange) -> str:
    """The name of what was, or should have been, made, which no path tells."""
    if exchange.info.verb != "create":
        return ""
    answer, name = exchange.answer, ""
    if isinstance(answer, Response) and answer.status < 400 and isinstance(answer.body, bytes):
        name = named_in(answer.body)
    return name or named_in(exchange.request.body)

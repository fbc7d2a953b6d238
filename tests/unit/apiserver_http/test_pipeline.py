"""What happens to every request, whatever it is for: limits, deadlines, faults, and the words of refusals."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.user import User
from steersman.apiserver.endpoints.deadline import DurationError, parse_duration
from steersman.apiserver.endpoints.metrics import Metrics
from steersman.apiserver.endpoints.pipeline import Pipeline
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.http.messages import Answer, Request, Response
from steersman.apiserver.seams import Decision

SOMEBODY = User("somebody", ("system:authenticated",))
ADMIN = User("admin", ("system:masters",))


class Anybody:
    """Lets everybody do everything, as whom it is told."""

    def __init__(self, user: User = SOMEBODY) -> None:
        self.user = user

    async def authenticate(self, request: Request) -> User:
        return self.user

    async def authorize(self, attributes: Any) -> Decision:
        return Decision(allowed=True)


def pipeline(*responders: Any, user: User = SOMEBODY, **options: Any) -> Pipeline:
    anybody: Any = Anybody(user)
    resources = Resources(builtin_scheme(), lambda resource: None)
    return Pipeline(anybody, anybody, resources, Metrics(), asynchronous=responders, **options)


async def ask(served: Pipeline, target: str, method: str = "GET", **headers: str) -> Response:
    path, _, query = target.partition("?")
    answer = await served.handle(Request(method, path, path, query, headers))
    assert isinstance(answer, Response)
    assert answer.headers["Audit-Id"]
    assert answer.headers["Cache-Control"] == "no-cache, private"
    return answer


def text(answer: Answer) -> str:
    assert isinstance(answer, Response)
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("1s", 1.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("100ms", 0.1),
        ("0", 0.0),
        ("-2s", -2.0),
        ("+1µs", 1e-6),
    ],
)
def test_durations(duration: str, seconds: float) -> None:
    assert parse_duration(duration) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("s", 'time: invalid duration "s"'),
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("1s2", 'time: missing unit in duration "1s2"'),
        (".s", 'time: invalid duration ".s"'),
        ("1e3s", 'time: unknown unit "e" in duration "1e3s"'),
        ("9" * 400 + "h", "time: invalid duration"),
    ],
)
def test_what_is_no_duration(duration: str, message: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(duration)
    assert str(caught.value).startswith(message)


async def slow(request: Request) -> Response | None:
    await asyncio.sleep(0.2)
    return Response(b"late", headers={"Cache-Control": "no-cache, private"})


async def test_a_request_takes_no_longer_than_its_caller_wants() -> None:
    answer = await ask(pipeline(slow), "/slow?timeout=10ms")
    assert (answer.status, json.loads(text(answer))["reason"]) == (504, "Timeout")
    assert json.loads(text(answer))["message"] == "Timeout: request did not complete within the allotted timeout"


@pytest.mark.parametrize("timeout", ["10s", "0s", "-1s", ""])
async def test_a_timeout_that_does_not_come(timeout: str) -> None:
    assert (await ask(pipeline(slow), f"/slow?timeout={timeout}")).status == 200


async def test_a_timeout_that_is_none() -> None:
    answer = await ask(pipeline(slow), "/slow?timeout=soon")
    assert (answer.status, json.loads(text(answer))["message"]) == (
        400,
        'invalid timeout specified in the request URL - time: invalid duration "soon"',
    )


@pytest.mark.parametrize(
    ("method", "user", "status"), [("GET", SOMEBODY, 429), ("GET", ADMIN, 200), ("POST", SOMEBODY, 200)]
)
async def test_more_requests_than_may_be_at_once(method: str, user: User, status: int) -> None:
    served = pipeline(slow, user=user, max_read_only=2, max_mutating=1)
    under_way = [asyncio.create_task(ask(served, "/slow")) for _ in range(2)]
    await asyncio.sleep(0)
    answer = await ask(served, "/slow", method)
    assert answer.status == status
    if status == 429:
        assert text(answer) == "Too many requests, please try again later.\n"
        assert answer.headers["Retry-After"] == "1"
    assert {(await each).status for each in under_way} == {200}
    assert (await ask(served, "/slow")).status == 200


async def test_a_stopping_server_refuses_what_is_new_and_tells_how_it_is() -> None:
    async def healthy(request: Request) -> Response | None:
        return Response(b"ok", headers={"Cache-Control": "no-cache, private"})

    served = pipeline(healthy, draining=lambda: True)
    answer = await ask(served, "/api/v1/pods")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "5")
    assert text(answer) == "The apiserver is shutting down, please try again later.\n"
    for path in ("/readyz", "/livez/ping", "/metrics"):
        assert (await ask(served, path)).status == 200


async def test_a_fault_is_told_and_can_be_found_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def faulty(request: Request) -> Response | None:
        raise ZeroDivisionError("a fault")

    with caplog.at_level(logging.ERROR):
        answer = await ask(pipeline(faulty), "/x")
    status = json.loads(text(answer))
    assert (answer.status, status["reason"]) == (500, "InternalError")
    assert answer.headers["Audit-Id"] in status["message"]
    assert answer.headers["Audit-Id"] in caplog.text
    assert "a fault" not in text(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/apis/none.example.com/v1/things",
        "/api/v7/pods",
        "//api/v1/pods",
        "/apis//v1/pods",
        "/api/v1/watch",
    ],
)
async def test_nothing_is_served_there(path: str) -> None:
    answer = await ask(pipeline(), path)
    assert (answer.status, text(answer)) == (404, "404 page not found\n")
    assert answer.content_type == "text/plain; charset=utf-8"


async def test_no_such_resource_in_a_group_that_is_there() -> None:
    answer = await ask(pipeline(), "/apis/apps/v1/things")
    status = json.loads(text(answer))
    assert (answer.status, status["reason"]) == (404, "NotFound")
    assert status["message"] == "the server could not find the requested resource"


@pytest.mark.parametrize(
    ("name", "fault"), [(".", "may not be '.'"), ("..", "may not be '..'"), ("a%b", "may not contain '%'")]
)
async def test_names_that_are_no_segments(name: str, fault: str) -> None:
    resources = Resources(builtin_scheme(), lambda resource: object())  # type: ignore[arg-type, return-value]
    anybody: Any = Anybody()
    answer = await ask(Pipeline(anybody, anybody, resources, Metrics()), f"/api/v1/namespaces/a/pods/{name}")
    assert (answer.status, json.loads(text(answer))["message"]) == (400, f'Name parameter invalid: "{name}": {fault}')


async def test_resources_have_no_head() -> None:
    for path in ("/api/v1/pods", "/api/v1/namespaces/a/pods/b"):
        answer = await ask(pipeline(), path, "HEAD")
        assert (answer.status, json.loads(text(answer))["reason"]) == (405, "MethodNotAllowed")


async def test_the_callers_own_audit_id() -> None:
    assert (await ask(pipeline(), "/x", **{"audit-id": "mine"})).headers["Audit-Id"] == "mine"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("limit=%zz&watch=1", {"watch": ["1"]}),
        ("limit=1;a=b", {}),
        ("a=%41&a=%", {"a": ["A"]}),
        ("a=b+c&d&=e", {"a": ["b c"], "d": [""], "": ["e"]}),
    ],
)
def test_pairs_that_cannot_be_read_are_passed_over(text: str, query: dict[str, list[str]]) -> None:
    assert Request("GET", "/", "/", text, {}).query == query


async def test_parameters_without_number() -> None:
    answer = await ask(pipeline(slow), "/api/v1/pods?" + "a&" * 10_001 + "watch=1")
    assert answer.status == 400
    with pytest.raises(StatusError):
        _ = Request("GET", "/", "/", "a&" * 10_001, {}).query


class Reader(Anybody):
    """Lets everybody get what there is, and nothing else."""

    async def authorize(self, attributes: Any) -> Decision:
        return Decision(allowed=attributes.verb == "get")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/namespaces/a/pods/b/exec", 403),
        ("/api/v1/namespaces/a/pods/b/portforward", 403),
        ("/apis/subresources.example.com/v1/namespaces/a/machines/b/portforward", 404),
    ],
)
async def test_who_may_only_read_opens_no_stream_to_a_pod(path: str, status: int) -> None:
    anybody: Any = Reader()
    served = Pipeline(anybody, anybody, Resources(builtin_scheme(), lambda resource: None), Metrics())
    assert (await ask(served, path)).status == status


class Reached:
    """Serves every subresource, and says that it has been reached."""

    def serves(self, resource: Any, subresource: str) -> bool:
        return True

    async def connect(self, request: Request, info: Any) -> Answer:
        raise AssertionError(f"{info.verb} on {info.resource}/{info.subresource} was served")


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward", "log", "proxy/x", "status"])
@pytest.mark.parametrize("prefix", ["watch", "proxy"])
async def test_a_prefix_that_changes_the_verb_leads_to_no_subresource(prefix: str, subresource: str) -> None:
    anybody: Any = Anybody()
    handler: Any = object()
    resources = Resources(builtin_scheme(), lambda resource: handler, connector=Reached())
    served = Pipeline(anybody, anybody, resources, Metrics())
    answer = await ask(served, f"/api/v1/{prefix}/namespaces/a/pods/b/{subresource}")
    assert answer.status == 404

"""``pods/log``."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from steersman.api.errors import (
    FieldError,
    StatusError,
    bad_request,
    forbidden_field,
    internal_error,
    invalid,
    invalid_value,
    not_supported,
)
from steersman.api.time import parse_rfc3339
from steersman.api.types.core_v1 import Pod
from steersman.api.types.meta_v1 import Status, StatusDetails
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter

from .node_client import NodeClient, Target

STREAMS = ("All", "Stderr", "Stdout")
_FLAGS = ("follow", "previous", "timestamps")
_NUMBERS = (
    ("sinceSeconds", 1, "must be greater than 0"),
    ("tailLines", 0, "must be greater than or equal to 0"),
    ("limitBytes", 1, "must be greater than 0"),
)


def is_true(request: Request, name: str) -> bool:
    """Whether a boolean parameter is set, as upstream reads them: anything but ``false`` and ``0``."""
    return name in request.query and request.parameter(name).lower() not in ("false", "0")


def log_query(request: Request, pod: str) -> list[tuple[str, str]]:
    """The kubelet's query for a request's PodLogOptions; raises 400 for what cannot be read, 422 for the rest."""
    query = [(name, "true") for name in _FLAGS if is_true(request, name)]
    faults: dict[str, FieldError] = {}
    for name, least, text in _NUMBERS:
        if not (value := request.parameter(name)):
            continue
        try:
            number = int(value)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None
        if number < least:
            faults[name] = invalid_value(name, number, text)
        query.append((name, str(number)))
    if since := request.parameter("sinceTime"):
        try:
            parse_rfc3339(since)
        except ValueError:
            raise bad_request(f'parsing time "{since}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None
        if request.parameter("sinceSeconds"):
            faults["sinceSeconds"] = forbidden_field(
                "", "at most one of `sinceTime` or `sinceSeconds` may be specified"
            )
        query.append(("sinceTime", since))
    stream = request.parameter("stream") or "All"
    if stream not in STREAMS:
        faults["stream"] = not_supported("stream", stream, STREAMS)
    if stream != "All":
        query.append(("stream", stream))
        if request.parameter("tailLines"):
            faults["both"] = forbidden_field("", "`tailLines` and specific `stream` are mutually exclusive for now")
    if faults:
        order = ("tailLines", "limitBytes", "sinceSeconds", "stream", "both")
        raise invalid("PodLogOptions", pod, [faults[name] for name in order if name in faults])
    return query


async def log(
    client: NodeClient, request: Request, pod: Pod, container: str, query: list[tuple[str, str]], target: Target
) -> Answer:
    """A container's log as its kubelet sends it."""
    path = f"/containerLogs/{quote(pod.metadata.namespace)}/{quote(pod.metadata.name)}/{quote(container)}"
    response = await client.get(
        target,
        f"{path}?{urlencode(query)}" if query else path,
        verify=not is_true(request, "insecureSkipTLSVerifyBackend"),
    )
    if response.status // 100 != 2:
        try:
            text = (await response.content.read(65536)).decode("utf-8", "replace").strip()
        finally:
            response.release()
        raise _refusal(response.status, text, pod)
    if request.method == "HEAD":
        response.close()
        return Response(b"", 200, "text/plain")

    async def run(writer: StreamWriter) -> None:
        try:
            async for data in response.content.iter_any():
                writer.write(data)
                await writer.drain()
        finally:
            response.close()

    return Stream(run, "text/plain", abandon=response.close)


def _refusal(status: int, text: str, pod: Pod) -> StatusError:
    if status == 400:
        return bad_request(text)
    if status == 404:
        details = StatusDetails(kind="pods/log", name=pod.metadata.name)
        message = f"the server could not find the requested resource ( pods/log {pod.metadata.name})"
        return StatusError(Status(status="Failure", code=404, reason="NotFound", message=message, details=details))
    return internal_error(text or f"the kubelet answered {status}")

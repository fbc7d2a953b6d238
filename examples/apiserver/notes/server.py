"""The server: paths to verbs, verbs to storage, objects to the form that the client asks for."""

import asyncio
import copy
import logging
import ssl
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from steersman.api import selectors
from steersman.api.errors import (
    StatusError,
    bad_request,
    conflict,
    forbidden,
    forbidden_field,
    internal_error,
    invalid,
    method_not_allowed,
    no_route,
    not_found,
    unsupported_media_type,
)
from steersman.api.generated_names import generated_name
from steersman.api.types.core_v1 import Namespace
from steersman.client import HTTPClient, is_not_found

from . import kind
from .delegation import Asked, Delegation
from .kind import DISCOVERY, GROUP, GROUP_VERSION, LIST, PATH, RESOURCE, Tree
from .storage import Event, Storage

log = logging.getLogger(__name__)

META = "meta.k8s.io/v1"
MERGE = "application/merge-patch+json"
_LARGEST = 3 << 20
_LONGEST_WATCH = 1800.0
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "namespace", "name", "generation")
"""Members of metadata that are the server's."""


class Config(NamedTuple):
    """Where to listen and what to keep things in."""

    certificate: Path
    key: Path
    database: Path
    address: str = "0.0.0.0"  # noqa: S104 - the API server comes from elsewhere, over TLS
    port: int = 6443


class Server:
    """Serves notes.  ``client`` speaks to the cluster, as the service account that the manifests make."""

    def __init__(self, client: HTTPClient, config: Config) -> None:
        self._client = client
        self._config = config
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(config.certificate, config.key)
        self._delegation = Delegation(client, self._context)
        self._storage = Storage(config.database)

    async def run(self) -> None:
        """Serve until cancelled."""
        application = web.Application(middlewares=[self._answer], client_max_size=_LARGEST)
        application.router.add_route("*", "/{path:.*}", self._handle)
        async with AsyncExitStack() as stack:
            stack.callback(self._storage.close)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            follower = tasks.create_task(self._delegation.config.run(), name="authorities")
            stack.callback(follower.cancel)
            await self._delegation.config.synced()
            # A watch whose client has gone ends with it.
            runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, self._config.address, self._config.port, ssl_context=self._context).start()
            log.info("serving on port %d", self._config.port)
            await asyncio.Event().wait()

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Whatever fails is a Status."""
        try:
            return await handler(request)
        except StatusError as error:
            problem = error
        except web.HTTPException:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            problem = internal_error("see the server's log")
        return _json(problem.status, problem.code)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        user = await self._delegation.user(request) if request.path not in ("/healthz", "/livez", "/readyz") else None
        match request.path.strip("/").split("/"):
            case ["apis", _, _, "notes"] if request.path.startswith(PATH):
                namespace, name = "", ""
            case ["apis", _, _, "namespaces", namespace, "notes"] if namespace and request.path.startswith(PATH):
                name = ""
            case ["apis", _, _, "namespaces", namespace, "notes", name] if name and request.path.startswith(PATH):
                pass
            case _:
                if user is not None:
                    await self._delegation.demand(user, Asked(request.method.lower(), path=request.path))
                    return _document(request)
                return web.Response(text="ok")
        assert user is not None
        verb = _verb(request, namespace, name)
        await self._delegation.demand(user, Asked(verb, namespace, name))
        if "dryRun" in request.query:
            raise bad_request("notes cannot be written for trial")
        match verb:
            case "get":
                return _json(_shown(request, self._storage.get(namespace, name)))
            case "list":
                return self._list(request, namespace)
            case "watch":
                return await self._watch(request, namespace)
            case "create":
                return _json(_shown(request, await self._create(await _body(request), namespace)), 201)
            case "update":
                wanted = await _body(request)
                return _json(_shown(request, self._change(namespace, name, lambda _: wanted)))
            case "patch":
                if request.content_type != MERGE:
                    raise unsupported_media_type(
                        f"the body of the request was in an unknown format - accepted media types include: {MERGE}"
                    )
                patch = await _body(request)
                return _json(_shown(request, self._change(namespace, name, lambda note: _merged(note, patch))))
            case "delete":
                return _json(self._delete(namespace, name, await _body(request, optional=True)))
            case _:
                chosen = _chosen(request)
                notes = [note for note in self._storage.list(namespace)[0] if chosen(note)]
                for note in notes:
                    self._delete(note["metadata"]["namespace"], note["metadata"]["name"], {})
                return _json(_listed(request, notes, self._storage.revision))

    # -- reading -----------------------------------------------------------------------------------------------------

    def _list(self, request: web.Request, namespace: str) -> web.Response:
        chosen = _chosen(request)
        notes, revision = self._storage.list(namespace)
        return _json(_listed(request, [note for note in notes if chosen(note)], revision))

    async def _watch(self, request: web.Request, namespace: str) -> web.StreamResponse:
        """What is there, where no revision is named, and every change from then on."""
        if "sendInitialEvents" in request.query:
            detail = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise invalid("ListOptions", "", [forbidden_field("sendInitialEvents", detail)], "meta.k8s.io")
        chosen = _chosen(request)
        since = request.query.get("resourceVersion", "")
        if since and not since.isdigit():
            raise bad_request(f"resourceVersion: Invalid value: {since!r}")
        seconds = float(request.query.get("timeoutSeconds") or _LONGEST_WATCH)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)

        async def send(sort: str, obj: Any) -> None:
            await response.write(msgspec.json.encode({"type": sort, "object": obj}) + b"\n")

        try:
            async with asyncio.timeout(min(seconds, _LONGEST_WATCH)):
                revision = int(since or 0)
                if not revision:
                    notes, revision = self._storage.list(namespace)
                    for note in filter(chosen, notes):
                        await send("ADDED", _shown(request, note))
                async for events in self._storage.watch(namespace, revision):
                    for event in events:
                        if found := _event(event, chosen):
                            await send(found[0], _shown(request, found[1]))
        except TimeoutError:
            pass
        except StatusError as error:
            await send("ERROR", error.status)
        return response

    # -- writing -----------------------------------------------------------------------------------------------------

    async def _create(self, body: Tree, namespace: str) -> Tree:
        note = kind.completed(body)
        metadata = note["metadata"]
        if metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if not metadata.get("name") and (base := metadata.get("generateName")):
            metadata["name"] = generated_name(base)
        if not metadata.get("name"):
            raise bad_request("name or generateName is required")
        kind.check(note)
        try:
            place = await self._client.get(Namespace, namespace)
        except StatusError as error:
            raise not_found("namespaces", namespace) if is_not_found(error) else error from error
        if place.metadata.deletion_timestamp is not None:
            detail = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(RESOURCE, metadata["name"], detail, GROUP)
        for member in ("deletionTimestamp", "managedFields", "resourceVersion"):
            metadata.pop(member, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now(), "generation": 1}
        return self._storage.create(note)

    def _change(self, namespace: str, name: str, change: Callable[[Tree], Tree]) -> Tree:
        def decide(before: Tree) -> Tree | None:
            note = kind.completed(change(copy.deepcopy(before)))
            metadata, old = note["metadata"], before["metadata"]
            if metadata.get("name") != name:
                raise bad_request("the name of the object does not match the name on the URL")
            if metadata.get("uid") not in (None, "", old["uid"]):
                detail = (
                    f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {old['uid']}"
                )
                raise conflict(RESOURCE, name, detail, GROUP)
            kind.check(note)
            metadata.pop("managedFields", None)
            for member in _KEPT:
                metadata.pop(member, None)
                if member in old:
                    metadata[member] = old[member]
            if note["spec"] != before["spec"]:
                metadata["generation"] += 1
            return None if "deletionTimestamp" in metadata and not metadata.get("finalizers") else note

        return self._storage.change(namespace, name, decide)

    def _delete(self, namespace: str, name: str, options: Tree) -> Tree:
        """Remove an object, or mark it where finalizers hold it."""
        wanted = options.get("preconditions") or {}

        def decide(note: Tree) -> Tree | None:
            metadata = note["metadata"]
            for member, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
                if wanted.get(member) not in (None, metadata[member]):
                    detail = (
                        f"Precondition failed: {label} in precondition: {wanted[member]}, "
                        f"{label} in object meta: {metadata[member]}"
                    )
                    raise conflict(RESOURCE, name, detail, GROUP)
            if not metadata.get("finalizers"):
                return None
            metadata.setdefault("deletionTimestamp", _now())
            return note

        note = self._storage.change(namespace, name, decide)
        if note["metadata"].get("finalizers"):
            return note
        details = {"name": name, "group": GROUP, "kind": RESOURCE, "uid": note["metadata"]["uid"]}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


# -- requests ----------------------------------------------------------------------------------------------------------


def _verb(request: web.Request, namespace: str, name: str) -> str:
    match request.method:
        case "GET" if name:
            return "get"
        case "GET":
            return "watch" if request.query.get("watch") in ("1", "true") else "list"
        case "POST" if namespace and not name:
            return "create"
        case "PUT" if name:
            return "update"
        case "PATCH" if name:
            return "patch"
        case "DELETE":
            return "delete" if name else "deletecollection"
    raise method_not_allowed("the server does not allow this method on the requested resource")


async def _body(request: web.Request, *, optional: bool = False) -> Tree:
    data = await request.read()
    if not data and optional:
        return {}
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _chosen(request: web.Request) -> Callable[[Tree], bool]:
    labels = selectors.parse_labels(request.query.get("labelSelector", ""))
    fields = selectors.parse_fields(request.query.get("fieldSelector", ""))

    def chosen(note: Tree) -> bool:
        metadata = note["metadata"]
        named = {f"metadata.{member}": metadata[member] for member in ("name", "namespace")}
        return labels.matches(metadata.get("labels") or {}) and fields.matches(named)

    return chosen


def _event(event: Event, chosen: Callable[[Tree], bool]) -> tuple[str, Tree] | None:
    """A change as somebody sees it who sees what is chosen alone."""
    before = event.before if event.before is not None and chosen(event.before) else None
    after = event.after if event.after is not None and chosen(event.after) else None
    if after is not None:
        return ("ADDED" if before is None else "MODIFIED"), after
    if before is None:
        return None
    metadata = {**before["metadata"], "resourceVersion": str(event.revision)}
    return "DELETED", {**before, "metadata": metadata}


def _merged(target: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


# -- answers -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _form(accept: str) -> str:
    """In which form a client wants objects: as they are (empty), as a Table, or only their metadata."""
    for clause in accept.split(","):
        media_type, *pairs = (part.strip() for part in clause.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if media_type not in ("application/json", "application/*", "*/*"):
            continue
        if "as" not in parameters:
            return ""
        if (parameters.get("g"), parameters.get("v")) == ("meta.k8s.io", "v1"):
            return parameters["as"].removesuffix("List")
    return ""


def _shown(request: web.Request, note: Tree) -> Tree:
    match _form(request.headers.get("Accept", "")):
        case "Table":
            return _table(request, [note], {"resourceVersion": note["metadata"]["resourceVersion"]})
        case "PartialObjectMetadata":
            return _partial(note)
    return note


def _listed(request: web.Request, notes: list[Tree], revision: int) -> Tree:
    metadata = {"resourceVersion": str(revision)}
    match _form(request.headers.get("Accept", "")):
        case "Table":
            return _table(request, notes, metadata)
        case "PartialObjectMetadata":
            items = [_partial(note) for note in notes]
            return {"kind": "PartialObjectMetadataList", "apiVersion": META, "metadata": metadata, "items": items}
    return {"kind": LIST, "apiVersion": GROUP_VERSION, "metadata": metadata, "items": notes}


def _table(request: web.Request, notes: list[Tree], metadata: Tree) -> Tree:
    rows = []
    for note in notes:
        row: Tree = {"cells": kind.cells(note)}
        match request.query.get("includeObject", "Metadata"):
            case "Metadata":
                row["object"] = _partial(note)
            case "Object":
                row["object"] = note
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": META,
        "metadata": metadata,
        "columnDefinitions": kind.COLUMNS,
        "rows": rows,
    }


def _partial(note: Tree) -> Tree:
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": note["metadata"]}


def _document(request: web.Request) -> web.Response:
    found = DISCOVERY.get(request.path.rstrip("/"))
    if found is None:
        raise no_route()
    if request.method != "GET":
        raise method_not_allowed("the server does not allow this method on the requested resource")
    return _json(found)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

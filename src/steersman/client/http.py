"""A client over HTTPS: the :class:`~steersman.client.client.Client` contract on pooled ``aiohttp`` connections.

Bodies are decoded straight into the API types; a large list is decoded in slices, so that the event loop is never
held for long.  Whatever fails is a StatusError: the server's own, or a 503 when the server cannot be reached.
A request answered 429 is tried again after the time the server asks for.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from steersman.api import errors
from steersman.api.errors import StatusError
from steersman.api.meta import PartialObjectMetadata
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.types.meta_v1 import DeleteOptions, ListMeta, Status
from steersman.api.unstructured import encode_hook

from .client import ALL, Client, ObjectList, Patch, Selectors, WatchEvent, Which
from .credential_plugins import Credential, CredentialError, CredentialPlugin
from .kubeconfig import ClientConfig

T = TypeVar("T", bound=Object)
R = TypeVar("R")

JSON = "application/json"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
MAX_ATTEMPTS = 10
_SLICE = 50


class _RawList(msgspec.Struct, rename="camel"):
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[msgspec.Raw] | None = None


class _RawEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Kind(msgspec.Struct):
    kind: str = ""


_encode = msgspec.json.Encoder(enc_hook=encode_hook).encode
_list_decoder = msgspec.json.Decoder(_RawList)
_event_decoder = msgspec.json.Decoder(_RawEvent)
_status_decoder = msgspec.json.Decoder(Status)
_kind_decoder = msgspec.json.Decoder(_Kind)
_partial_decoder = msgspec.json.Decoder(PartialObjectMetadata)


def ssl_context(config: ClientConfig) -> ssl.SSLContext:
    """The TLS settings of a configuration."""
    if config.insecure_skip_tls_verify or config.ca_data:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:  # the machine's authorities, which take some 50 ms to read
        context = ssl.create_default_context()
    if config.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif config.ca_data:
        context.load_verify_locations(cadata=config.ca_data.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.client_certificate_data:
        # OpenSSL reads a chain from a file alone; this one is 0600 and gone at once.
        with tempfile.NamedTemporaryFile(prefix="steersman-") as file:
            file.write(config.client_certificate_data.rstrip() + b"\n" + config.client_key_data)
            file.flush()
            context.load_cert_chain(file.name)
    return context


class HTTPClient(Client):
    """The Kubernetes API over HTTPS.  Use it within one event loop, and close it."""

    def __init__(self, config: ClientConfig, scheme: Scheme | None = None) -> None:
        self.config = config
        self._scheme = scheme if scheme is not None else builtin_scheme()
        self._session: aiohttp.ClientSession | None = None
        self._token = config.token
        self._token_stamp = 0
        self._plugin = CredentialPlugin(config.exec) if config.exec is not None else None
        self._credential: Credential | None = None

    @property
    def scheme(self) -> Scheme:
        """The resources this client knows."""
        return self._scheme

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> HTTPClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def set_token(self, token: str) -> None:
        """Use another bearer token from now on."""
        self._token = token

    # Reader

    async def get(self, which: Which[T], name: str, namespace: str = "") -> T:
        resource = self._resource(which)
        return _decode(resource.decoder, await self._request("GET", _path(resource, namespace, name)))

    async def list(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> ObjectList[T]:
        resource = self._resource(which)
        parameters = _selection(selectors)
        if limit:
            parameters["limit"] = str(limit)
        if continue_:
            parameters["continue"] = continue_
        if resource_version:
            parameters["resourceVersion"] = resource_version
        body = await self._request("GET", _path(resource, namespace), parameters)
        return await _decode_list(resource.decoder, body)

    async def list_metadata(self, resource: Resource[Any], namespace: str = "") -> ObjectList[PartialObjectMetadata]:
        body = await self._request("GET", _path(resource, namespace), accept=PARTIAL_LIST)
        return await _decode_list(_partial_decoder, body)

    def watch(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        resource_version: str = "",
        bookmarks: bool = True,
    ) -> AsyncIterator[WatchEvent[T]]:
        resource = self._resource(which)
        parameters = _selection(selectors)
        return self._watch(resource, resource.decoder, namespace, parameters, resource_version, bookmarks, JSON)

    def watch_metadata(
        self, resource: Resource[Any], namespace: str = "", *, resource_version: str = ""
    ) -> AsyncIterator[WatchEvent[PartialObjectMetadata]]:
        return self._watch(resource, _partial_decoder, namespace, {}, resource_version, True, PARTIAL)

    # Writer

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        resource = self._scheme.for_type(type(obj))
        body = await self._request("POST", _path(resource, obj.metadata.namespace), _dry_run(dry_run), _encode(obj))
        return _decode(resource.decoder, body)

    async def update(self, obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        resource = self._scheme.for_type(type(obj))
        path = _path(resource, obj.metadata.namespace, obj.metadata.name, subresource)
        body = await self._request("PUT", path, _dry_run(dry_run), _encode(obj))
        return _decode(resource.decoder, body)

    async def patch(self, which: Which[T], name: str, patch: Patch, namespace: str = "", *, subresource: str = "") -> T:
        resource = self._resource(which)
        parameters = {}
        if patch.field_manager:
            parameters["fieldManager"] = patch.field_manager
        if patch.force:
            parameters["force"] = "true"
        path = _path(resource, namespace, name, subresource)
        body = await self._request("PATCH", path, parameters, patch.body, content_type=patch.type)
        return _decode(resource.decoder, body)

    async def delete(
        self, which: Which[T], name: str, namespace: str = "", *, options: DeleteOptions | None = None
    ) -> None:
        body = msgspec.json.encode(options) if options is not None else None
        await self._request("DELETE", _path(self._resource(which), namespace, name), body=body)

    async def delete_collection(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        options: DeleteOptions | None = None,
    ) -> None:
        body = msgspec.json.encode(options) if options is not None else None
        await self._request("DELETE", _path(self._resource(which), namespace), _selection(selectors), body)

    async def create_subresource(
        self, which: Which[Any], name: str, subresource: str, body: T, namespace: str = ""
    ) -> T:
        path = _path(self._resource(which), namespace, name, subresource)
        answer = await self._request("POST", path, body=msgspec.json.encode(body))
        if not answer or (_read(_kind_decoder, answer).kind == "Status" and body.kind != "Status"):
            return body
        return _decode(msgspec.json.Decoder(type(body)), answer)

    async def get_subresource(
        self, which: Which[Any], name: str, subresource: str, type_: type[T], namespace: str = ""
    ) -> T:
        path = _path(self._resource(which), namespace, name, subresource)
        return _decode(msgspec.json.Decoder(type_), await self._request("GET", path))

    # Beyond the contract

    async def raw(self, path: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """The body of any path: ``/readyz``, ``/api/v1/.../log``; raises StatusError."""
        return await self._request("GET", path, parameters, accept="*/*")

    def _resource(self, which: Which[T]) -> Resource[T]:
        return which if isinstance(which, Resource) else self._scheme.for_type(which)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                ssl=ssl_context(self.config) if self.config.server.startswith("https") else False,
                limit=0,
                keepalive_timeout=90,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None),
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=2**18,
            )
        return self._session

    def _headers(self, accept: str, content_type: str) -> dict[str, str]:
        config = self.config
        headers = {"Accept": accept, "User-Agent": config.user_agent}
        if content_type:
            headers["Content-Type"] = content_type
        if token := self._current_token():
            headers["Authorization"] = f"Bearer {token}"
        elif config.username:
            credentials = base64.b64encode(f"{config.username}:{config.password}".encode()).decode()
            headers["Authorization"] = f"Basic {credentials}"
        if config.impersonate:
            headers["Impersonate-User"] = config.impersonate
        return headers

    def _current_token(self) -> str:
        """The token; a token file is read again when it was replaced (the kubelet rotates it)."""
        if self.config.token_file:
            try:
                stamp = os.stat(self.config.token_file).st_mtime_ns
                if stamp != self._token_stamp:
                    with open(self.config.token_file) as file:
                        self._token = file.read().strip()
                    self._token_stamp = stamp
            except OSError as error:
                if not self._token:
                    raise errors.unauthorized(f"cannot read the token file: {error}") from error
        return self._token

    async def _authenticate(self, refused: Credential | None = None) -> None:
        """Ask the credential plugin, if there is one; raises Unauthorized."""
        if self._plugin is None:
            return
        try:
            found = await self._plugin.credential(refused)
        except CredentialError as error:
            raise errors.unauthorized(f"getting credentials: {error}") from error
        if found is self._credential:
            return
        self._credential = found
        self._token = found.token or self.config.token
        if found.client_certificate_data:
            self.config = msgspec.structs.replace(
                self.config,
                client_certificate_data=found.client_certificate_data.encode(),
                client_key_data=found.client_key_data.encode(),
            )
            await self.close()  # connections are those of the certificate that they were made with

    def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None,
        body: bytes | None,
        accept: str,
        content_type: str,
        timeout: aiohttp.ClientTimeout,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers: Any = self._headers(accept, content_type if body is not None else "")
        if self.config.impersonate_groups:
            headers = [*headers.items(), *(("Impersonate-Group", group) for group in self.config.impersonate_groups)]
        return self._open().request(
            method,
            self.config.server + path,
            params=parameters or None,
            data=body,
            headers=headers,
            server_hostname=self.config.tls_server_name or None,
            proxy=self.config.proxy_url or None,
            timeout=timeout,
            allow_redirects=False,
        )

    async def _request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        accept: str = JSON,
        content_type: str = JSON,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=70, sock_connect=10)
        attempt = 1
        await self._authenticate()
        while True:
            used = self._credential
            try:
                async with self._send(method, path, parameters, body, accept, content_type, timeout) as response:
                    answer = await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise _unreachable(self.config.server, error) from error
            if response.status < 300:
                return answer
            if response.status == 401 and used is not None and attempt == 1:
                attempt += 1
                await self._authenticate(refused=used)
                continue
            retry_after = response.headers.get("Retry-After", "")
            if attempt < MAX_ATTEMPTS and retry_after.isdigit() and response.status in (429, 503):
                attempt += 1
                await asyncio.sleep(max(float(retry_after), 0.05))
                continue
            raise _failure(response.status, answer)

    async def _watch(
        self,
        resource: Resource[Any],
        decoder: msgspec.json.Decoder[Any],
        namespace: str,
        parameters: dict[str, str],
        resource_version: str,
        bookmarks: bool,
        accept: str,
    ) -> AsyncIterator[WatchEvent[Any]]:
        seconds = random.randint(300, 600)
        parameters |= {"watch": "true", "timeoutSeconds": str(seconds)}
        if resource_version:
            parameters["resourceVersion"] = resource_version
        if bookmarks:
            parameters["allowWatchBookmarks"] = "true"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=seconds + 30)
        await self._authenticate()
        used = self._credential
        try:
            async with self._send("GET", _path(resource, namespace), parameters, None, accept, "", timeout) as response:
                if response.status == 401 and used is not None:
                    await self._authenticate(refused=used)  # for the next one
                if response.status != 200:
                    raise _failure(response.status, await response.read())
                pending = b""
                async for chunk in response.content.iter_any():
                    *lines, pending = (pending + chunk).split(b"\n") if pending else chunk.split(b"\n")
                    for line in lines:
                        if line:
                            yield _event(decoder, line)
                if pending.strip():
                    yield _event(decoder, pending)
        except aiohttp.ClientPayloadError:
            return  # the server went away in the middle of the stream: an end like any other
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(self.config.server, error) from error


def _path(resource: Resource[Any], namespace: str = "", name: str = "", subresource: str = "") -> str:
    return resource.path(quote(namespace, safe=""), quote(name, safe=""), subresource)


def _selection(selectors: Selectors) -> dict[str, str]:
    parameters = {}
    if selectors.labels:
        parameters["labelSelector"] = selectors.labels
    if selectors.fields:
        parameters["fieldSelector"] = selectors.fields
    return parameters


def _dry_run(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    try:
        return _detached(decoder.decode(body))
    except msgspec.MsgspecError:
        # Other servers write nulls where ours does not; the lenient way costs more.
        from steersman.api import codecs

        lenient: Callable[[Any, bytes], T] = codecs.decode
        return _detached(lenient(decoder.type, bytes(body)))


def _read(decoder: msgspec.json.Decoder[R], body: bytes | msgspec.Raw) -> R:
    """What a body is about; who answers something else is no API server, but perhaps what stands before one."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise errors.internal_error(f"the server answered what is no object: {error}") from error


def _detached(obj: T) -> T:
    """The object without a hold on what it was read from, which may be the bytes of a whole list."""
    for entry in getattr(getattr(obj, "metadata", None), "managed_fields", ()):
        entry.fields_v1 = entry.fields_v1.copy()
    return obj


async def _decode_list(decoder: msgspec.json.Decoder[T], body: bytes) -> ObjectList[T]:
    page = _read(_list_decoder, body)
    items: list[T] = []
    for raw in page.items or ():
        items.append(_decode(decoder, raw))
        if len(items) % _SLICE == 0:
            await asyncio.sleep(0)
    metadata = page.metadata
    return ObjectList(items, metadata.resource_version, metadata.continue_, metadata.remaining_item_count)


def _event(decoder: msgspec.json.Decoder[Any], line: bytes) -> WatchEvent[Any]:
    event = _read(_event_decoder, line)
    if event.type == "ERROR":
        raise StatusError(_read(_status_decoder, event.object))
    return WatchEvent(event.type, _decode(decoder, event.object))  # type: ignore[arg-type]


def _failure(code: int, body: bytes) -> StatusError:
    """The server's Status, or one made up from an answer that is none."""
    try:
        status = _status_decoder.decode(body)
        if status.kind == "Status" and status.status == "Failure":
            status.code = status.code or code
            return StatusError(status)
    except msgspec.MsgspecError:
        pass
    reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 429: "TooManyRequests"}
    text = body[:1024].decode(errors="replace").strip()
    return StatusError(Status(status="Failure", code=code, reason=reason.get(code, "InternalError"), message=text))


def _unreachable(server: str, error: BaseException) -> StatusError:
    return errors.service_unavailable(f"cannot reach {server}: {error or type(error).__name__}")

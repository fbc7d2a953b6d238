"""An API server and controllers in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec
import uvloop

from steersman.api import codecs
from steersman.api.errors import StatusError, is_already_exists, is_not_found
from steersman.api.scheme import Resource
from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.api.types.core_v1 import Namespace, ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.connecting import connect
from steersman.client.custom_resources import CustomObject
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.kit import Manager
from steersman.controllers.manager import ControllerManager
from steersman.pki import files
from steersman.storage.memory import MemoryStore

from .pods import SimulatedKubelet

T = TypeVar("T")

ADMIN = User("system:steersman", ("system:masters", "system:authenticated"))
PATIENCE = 20.0
INTERVAL = 0.005
"""Seconds between looks at what is waited for."""


class ControlPlane:
    """Use it as a ``with``, or by :meth:`start` and :meth:`stop`; its methods may be called from any thread.

    ``controllers`` chooses among upstream's: ``*`` for all, names, ``-name`` for not that one; none where empty.
    With ``run_pods``, pods say that they run.
    """

    def __init__(self, *, controllers: Iterable[str] = ("*",), run_pods: bool = True) -> None:
        self._chosen = tuple(controllers)
        self._run_pods = run_pods
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._main: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._server: ApiServer | None = None

    def start(self) -> ControlPlane:
        """Start it and wait until it serves; raises RuntimeError where it does not."""
        self._directory = tempfile.TemporaryDirectory(prefix="steersman-testing-", ignore_cleanup_errors=True)
        self._thread = threading.Thread(target=self._run, name="steersman control plane", daemon=True)
        self._thread.start()
        if not self._ready.wait(PATIENCE) or self._failure is not None:
            failure = self._failure
            self.stop()
            raise RuntimeError("the control plane does not start") from failure
        return self

    def stop(self) -> None:
        """End it; its objects are gone."""
        if self._loop is not None and self._main is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._main.cancel)
        if self._thread is not None:
            self._thread.join(PATIENCE)
            self._thread = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> ControlPlane:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """The file of an administrator's kubeconfig."""
        assert self._directory is not None, "the control plane was not started"
        return Path(self._directory.name) / "admin.conf"

    @property
    def config(self) -> ClientConfig:
        """An administrator's access."""
        return kubeconfig.load(self.kubeconfig)

    def connect(
        self, *types: type[CustomObject] | Resource[Any], user: str = "", groups: Iterable[str] = ()
    ) -> HTTPClient:
        """A client, of the administrator or, to try out roles, of somebody else by impersonation."""
        config = msgspec.structs.replace(self.config, impersonate=user, impersonate_groups=tuple(groups))
        return connect(*types, config=config)

    def install(self, *manifests: str | Path | Mapping[str, Any], namespace: str = "default") -> None:
        """Create the objects of manifests, files of YAML or data; definitions in them are served when this returns.

        Objects that name no namespace go to this one.  What is there already is left as it is.  Raises StatusError
        for what is refused, ValueError for what is of no kind that is served.
        """
        documents: list[Any] = []
        for manifest in manifests:
            if isinstance(manifest, Mapping):
                documents.append(dict(manifest))
            else:
                documents += [each for each in codecs.load_documents(Path(manifest).read_bytes()) if each]
        self._call(self._install(documents, namespace))

    def create_namespace(self, prefix: str = "test") -> str:
        """A new namespace, with the service account that pods need where controllers run."""
        return self._call(self._create_namespace(prefix))

    def delete_namespace(self, name: str) -> None:
        """Begin to delete a namespace and what is in it."""
        self._call(self._client().delete(Namespace, name))

    # On the control plane's own loop

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._main = asyncio.current_task()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serve()

        try:
            uvloop.run(main())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        assert self._directory is not None
        directory = Path(self._directory.name)
        store = MemoryStore()
        try:
            self._certificates(directory, "https://127.0.0.1")
            config = ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=directory / "pki")
            self._server = server = ApiServer(config, store)
            async with asyncio.TaskGroup() as group:
                group.create_task(server.run(), name="API server")
                await server.ready.wait()
                self._certificates(directory, f"https://127.0.0.1:{server.port}")
                if self._chosen:
                    settings = ControllerManagerConfig(
                        controllers=self._chosen, root_ca=(directory / "pki/ca.crt").read_bytes()
                    )
                    manager = ControllerManager(settings, server.local_client(ADMIN))
                    group.create_task(manager.run(), name="controllers")
                    await manager.ready.wait()
                if self._run_pods:
                    pods = Manager(server.local_client(ADMIN), [SimulatedKubelet])
                    group.create_task(pods.run(), name="pods")
                    await pods.ready.wait()
                self._ready.set()
        finally:
            await store.close()

    @staticmethod
    def _certificates(directory: Path, server: str) -> None:
        """Those that are missing, and kubeconfigs that name the server."""
        files.ensure(files.PKIConfig(directory / "pki", "localhost", "127.0.0.1", server))

    def _client(self) -> Client:
        assert self._server is not None, "the control plane was not started"
        return self._server.local_client(ADMIN)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None, "the control plane was not started"
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _install(self, documents: list[Any], namespace: str) -> None:
        client = self._client()
        for document in documents:
            version, kind = document.get("apiVersion", ""), document.get("kind", "")
            resource = client.scheme.by_kind(version, kind)
            if resource is None:
                raise ValueError(f'no matches for kind "{kind}" in version "{version}"')
            obj = codecs.from_builtins(resource.type, document)
            if resource.namespaced:
                obj.metadata.namespace = obj.metadata.namespace or namespace
            try:
                await client.create(obj)
            except StatusError as error:
                if not is_already_exists(error):
                    raise
            if isinstance(obj, CustomResourceDefinition):
                await self._established(client, obj)

    async def _established(self, client: Client, wanted: CustomResourceDefinition) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                present = await client.get(CustomResourceDefinition, wanted.metadata.name)
                established = any(
                    each.type == "Established" and each.status == "True" for each in present.status.conditions
                )
                served = all(
                    client.scheme.by_kind(f"{present.spec.group}/{version.name}", present.spec.names.kind)
                    for version in present.spec.versions
                    if version.served
                )
                if established and served:
                    return
                await asyncio.sleep(INTERVAL)

    async def _create_namespace(self, prefix: str) -> str:
        client = self._client()
        made = await client.create(Namespace(metadata=ObjectMeta(generate_name=f"{prefix}-")))
        name = made.metadata.name
        async with asyncio.timeout(PATIENCE):
            while "*" in self._chosen or "serviceaccount-controller" in self._chosen:
                try:
                    await client.get(ServiceAccount, "default", name)
                    break
                except StatusError as error:
                    if not is_not_found(error):
                        raise
                await asyncio.sleep(INTERVAL)
        return name

"""The kubelet: everything of a node put together."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from steersman.api.types.core_v1 import Node as NodeObject
from steersman.api.types.core_v1 import Pod, Service
from steersman.client.client import Client, Selectors
from steersman.client.events import EventRecorder
from steersman.client.informer import Informer

from . import names, resolvconf
from .actor import PodActor
from .admission import admit
from .backoff import Backoff
from .cleanup import Cleaner
from .config import KubeletConfig
from .containerd import Containerd, ContainerdConfig
from .cri import CRIRuntime
from .host import Host
from .node import NodeReporter, allocatable, machine
from .pulls import Puller
from .runtime import Runtime, RuntimeFailure, RuntimeUnavailable
from .server.server import KubeletServer
from .sources import ApiSources

log = logging.getLogger(__name__)

EVENTED_RELIST = 5
"""How many times longer the relist period is while the runtime's event stream stands."""


def containerd_config(config: KubeletConfig) -> ContainerdConfig:
    """The containerd that belongs to a kubelet; also what :func:`.containerd.teardown` wants."""
    return ContainerdConfig(
        directory=config.root_dir / "containerd",
        cni_conf_dir=config.cni_conf_dir,
        cni_bin_dirs=config.cni_bin_dirs,
        cgroup_root=config.cgroup_root,
        pods_dir=config.pods_dir,
        sandbox_image=config.pause_image,
    )


class Kubelet:
    """One node.  ``ready`` is set when the node is registered and its pods are being looked after.

    ``runtime`` is for tests; without it the CRI socket of the configuration is used, or a containerd of our own
    is started, which goes on when this ends.
    """

    def __init__(self, config: KubeletConfig, client: Client, *, runtime: Runtime | None = None) -> None:
        self.config = config
        self.ready = asyncio.Event()
        self.actors: dict[str, PodActor] = {}
        self.server: KubeletServer | None = None
        self.containerd: Containerd | None = None
        self._client = client
        self._given = runtime
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.host: Host | None = None
        self._group: asyncio.TaskGroup | None = None
        self._relist = asyncio.Event()
        self._evented = False
        self._seen: dict[str, tuple[str, int]] = {}

    async def run(self) -> None:
        """Run until cancelled.  Containers go on running; stopping them is :func:`.containerd.teardown`."""
        config = self.config
        config.root_dir.mkdir(parents=True, exist_ok=True)
        config.pods_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        runtime = await self._runtime()
        recorder = EventRecorder(self._client, "kubelet", config.node_name)
        pods = Informer(self._client, Pod, selectors=Selectors(fields=f"spec.nodeName={config.node_name}"))
        services = Informer(self._client, Service)
        found = await asyncio.to_thread(machine, config.root_dir)
        try:
            host_resolver = resolvconf.parse(config.resolv_conf.read_text())
        except OSError:
            host_resolver = resolvconf.Resolver()
        self.host = Host(
            config=config,
            runtime=runtime,
            client=self._client,
            recorder=recorder,
            sources=ApiSources(self._client, services.lister),
            puller=Puller(runtime, initial=config.backoff_initial, maximum=config.backoff_max),
            crashes=Backoff(config.backoff_initial, config.backoff_max, time.time),
            starts=asyncio.Semaphore(config.max_parallel_starts),
            host_resolver=host_resolver,
            host_ips=[config.node_ip],
            memory_capacity=found.memory,
            allocatable=allocatable(found, config),
        )
        self.server = KubeletServer(self)
        reporter = NodeReporter(
            config, self._client, runtime, recorder, lambda: self.server.port if self.server else config.port
        )
        self.reporter = reporter
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self.server.start()
                group.create_task(recorder.run(), name="kubelet events")
                group.create_task(services.run(), name="kubelet services")
                await reporter.register()
                recorder.event(reporter.node or NodeObject(), "Normal", "Starting", "Starting kubelet.")
                group.create_task(reporter.run(), name="node reporter")
                group.create_task(pods.run(), name="kubelet pods")
                await services.synced()
                await pods.synced()
                pods.add_handler(on_add=self._pod_added, on_update=self._pod_updated, on_delete=self._pod_deleted)
                group.create_task(self._pleg(runtime), name="kubelet pleg")
                group.create_task(self._follow_events(runtime), name="kubelet runtime events")
                cleaner = Cleaner(config, runtime, lambda: self.actors)
                group.create_task(cleaner.run(), name="kubelet cleaner")
                await self._try_orphans(cleaner)
                self.ready.set()
                await asyncio.Event().wait()
        finally:
            self._group = None
            await self.server.stop()
            if self._given is None:
                await runtime.close()

    async def _try_orphans(self, cleaner: Cleaner) -> None:
        try:
            await cleaner.remove_orphans()
        except RuntimeFailure as error:
            log.info("orphans remain for now: %s", error)

    async def _runtime(self) -> Runtime:
        if self._given is not None:
            return self._given
        socket = self.config.cri_socket.removeprefix("unix://")
        if not socket:
            self.containerd = Containerd(containerd_config(self.config))
            await self.containerd.start()
            if self.config.airgap_images is not None:
                new = await self.containerd.importer.import_images(self.config.airgap_images)
                if new:
                    log.info("imported %s", ", ".join(new))
            socket = str(self.containerd.config.socket)
        runtime = CRIRuntime(socket)
        deadline = time.monotonic() + 15
        while True:
            try:
                await runtime.version()
                return runtime
            except RuntimeFailure:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.02)

    async def import_images(self, directory: Path) -> list[str]:
        """Import image archives; only with a containerd of our own."""
        if self.containerd is None:
            return []
        return await self.containerd.importer.import_images(directory)

    # ---- pods ----------------------------------------------------------------------------------------------------

    def _pod_added(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        if uid in self.actors:
            self.actors[uid].update(pod)
            return
        assert self.host is not None
        refusal = None
        fresh = pod.status.phase in ("", "Pending") and not pod.status.container_statuses
        if fresh and pod.metadata.deletion_timestamp is None:
            others = [actor.pod for actor in self.actors.values() if actor.active]
            refusal = admit(pod, others, self.reporter.node, self.host.allocatable)
            if refusal is not None:
                self.host.recorder.event(pod, "Warning", refusal.reason, refusal.message)
        actor = self.actors[uid] = PodActor(self.host, pod, refusal=refusal)
        assert self._group is not None
        self._tasks[uid] = self._group.create_task(self._run_actor(actor), name=f"pod {names.describe(pod)}")

    async def _run_actor(self, actor: PodActor) -> None:
        while True:
            try:
                await actor.run()
                break
            except Exception:  # one pod's fault must not take the node's other pods down
                log.exception("actor of pod %s failed; another takes over", names.describe(actor.pod))
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # it failed at ending: another would never end
                await asyncio.sleep(1)
                actor = self.actors[actor.record.uid] = actor.successor()
        if self.actors.get(actor.record.uid) is actor:
            del self.actors[actor.record.uid]
        self._tasks.pop(actor.record.uid, None)

    def _pod_updated(self, old: Pod, new: Pod) -> None:
        if old.metadata.uid != new.metadata.uid:
            self._pod_deleted(old)
        self._pod_added(new)

    def _pod_deleted(self, pod: Pod) -> None:
        if (actor := self.actors.get(pod.metadata.uid)) is not None:
            actor.remove()

    def find(self, namespace: str, name: str, uid: str = "") -> PodActor | None:
        """The actor of a pod by name."""
        for actor in self.actors.values():
            metadata = actor.pod.metadata
            if metadata.namespace == namespace and metadata.name == name and (not uid or metadata.uid == uid):
                return actor
        return None

    # ---- pod lifecycle events ------------------------------------------------------------------------------------

    async def _pleg(self, runtime: Runtime) -> None:
        """Look at all containers every second (seldom, while the runtime tells of exits), wake whom it concerns."""
        soon: list[float] = []
        while True:
            slow = self.config.relist_period * (EVENTED_RELIST if self._evented else 1)
            try:
                async with asyncio.timeout(soon.pop(0) if soon else slow):
                    await self._relist.wait()
                # The runtime tells of an exit before its own records say so: one look is not enough.
                soon = [0.03, 0.1, 0.3, self.config.relist_period]
            except TimeoutError:
                pass
            self._relist.clear()
            try:
                await self._look(runtime)
            except RuntimeUnavailable:
                await self._revive()
            except RuntimeFailure as error:
                log.info("relist: %s", error)

    async def _look(self, runtime: Runtime) -> None:
        seen: dict[str, tuple[str, int]] = {}
        for sandbox in await runtime.list_sandboxes():
            if uid := sandbox.labels.get(names.POD_UID):
                seen[sandbox.id] = (uid, sandbox.state)
        for container in await runtime.list_containers():
            if uid := container.labels.get(names.POD_UID):
                seen[container.id] = (uid, container.state)
        changed = {uid for _, (uid, _) in set(seen.items()) ^ set(self._seen.items())}
        self._seen = seen
        for uid in changed:
            if (actor := self.actors.get(uid)) is not None:
                actor.wake()

    async def _revive(self) -> None:
        """Start our own containerd again where it has died: its shims and containers live on."""
        if self.containerd is None or self.containerd.alive():
            return
        log.warning("containerd has ended; starting it again")
        try:
            await self.containerd.start()
        except Exception:
            log.exception("containerd does not start")
            await asyncio.sleep(2)

    async def _follow_events(self, runtime: Runtime) -> None:
        while True:
            try:
                self._evented = True
                self._relist.set()  # for what happened before the stream stood
                async for _ in runtime.events():
                    self._relist.set()
            except RuntimeFailure as error:
                if error.code == "Unimplemented":
                    return  # another runtime: the relist does it alone
            finally:
                self._evented = False
                self._relist.set()
            await asyncio.sleep(1)

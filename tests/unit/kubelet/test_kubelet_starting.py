"""Starting containers on the fake runtime: crash back-off on a clock of its own, and what is tried again when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import Pod, ServiceAccountTokenProjection
from steersman.kubelet import KubeletConfig, names
from steersman.kubelet.backoff import Backoff
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.fake import FakeRuntime
from steersman.kubelet.host import Host
from steersman.kubelet.observation import observe
from steersman.kubelet.pod_files import PodFiles
from steersman.kubelet.prober import Prober
from steersman.kubelet.pulls import Puller
from steersman.kubelet.record import PodRecord
from steersman.kubelet.resolvconf import Resolver
from steersman.kubelet.sandbox import sandbox_config
from steersman.kubelet.sources import ApiSources
from steersman.kubelet.starting import Starter, runs_by_logs
from steersman.kubelet.stopping import Stopper

IMAGE = "example.com/app:1"


class Sources:
    """No Services, ConfigMaps or Secrets."""

    def services(self):
        return []


class Recorder:
    def __init__(self):
        self.events = []

    def event(self, reference, type_, reason, message):
        self.events.append((reason, message, reference.field_path))


class World:
    """One pod on a fake runtime, without an actor: the test takes the turns."""

    def __init__(self, directory: Path, spec: dict, images=(IMAGE,)) -> None:
        self.now = 1_000_000.0
        self.runtime = FakeRuntime(images, clock=lambda: int(self.now * 1e9))
        self.recorder = Recorder()
        self.published = 0
        config = KubeletConfig(
            node_name="n", node_ip="192.0.2.9", root_dir=directory / "root", pod_log_root=directory / "logs"
        )
        host = Host(
            config=config,
            runtime=self.runtime,
            client=None,
            recorder=self.recorder,
            sources=Sources(),
            puller=Puller(self.runtime),
            crashes=Backoff(10, 300, lambda: self.now),
            starts=asyncio.Semaphore(1),
            host_resolver=Resolver(),
            host_ips=["192.0.2.9"],
            memory_capacity=1 << 30,
            allocatable={},
            clock=lambda: self.now,
        )
        tree = {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec}
        self.record = PodRecord(host, codecs.from_builtins(Pod, tree))
        self.record.directory.mkdir(parents=True)
        self.prober = Prober(self.record)
        self.stopper = Stopper(self.record, self.prober, self.publish)
        files = PodFiles(self.record)
        self.starter = Starter(self.record, files, self.prober, self.stopper, self.publish)

    def publish(self) -> None:
        self.published += 1

    async def begin(self) -> None:
        await self.runtime.run_sandbox(sandbox_config(self.record, 0))
        await observe(self.record)

    async def start(self, name: str):
        retry = await self.starter.start(name)
        await observe(self.record)
        return retry

    async def crash(self, name: str, code: int = 1) -> None:
        running = self.record.running(name)
        assert running is not None
        await self.runtime.exit(running.id, code)
        await observe(self.record)


def spec(**container) -> dict:
    return {"containers": [{"name": "main", "image": IMAGE, **container}]}


async def test_crash_loop_delays(tmp_path):
    world = World(tmp_path, spec())
    await world.begin()
    assert await world.start("main") is None
    delays = []
    for restart in range(1, 9):
        world.now += 1
        await world.crash("main")
        delays.append(round(world.starter.remaining("main")))
        if delays[-1]:
            waiting = world.record.waiting["main"]
            assert waiting.reason == "CrashLoopBackOff"
            assert waiting.message.endswith("restarting failed container=main pod=p_ns(u)")
        world.now += delays[-1] + 0.001
        assert world.starter.remaining("main") == 0
        assert await world.start("main") is None
        assert world.record.newest("main").annotations[names.RESTART_COUNT] == str(restart)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]
    events = [event for event in world.recorder.events if event[0] == "BackOff"]
    assert len(events) == 7
    assert set(events) == {
        ("BackOff", "Back-off restarting failed container main in pod p_ns(u)", "spec.containers{main}")
    }


async def test_ten_minutes_of_running_end_a_crash_loop(tmp_path):
    world = World(tmp_path, spec())
    await world.begin()
    await world.start("main")
    for _ in range(4):
        await world.crash("main")
        world.now += world.starter.remaining("main") + 0.001
        await world.start("main")
    await world.crash("main")
    assert world.starter.remaining("main") > 30
    world.now += 81
    await world.start("main")
    world.now += 601
    await world.crash("main")
    assert world.starter.remaining("main") == 0
    await world.start("main")
    await world.crash("main")
    assert round(world.starter.remaining("main")) == 10


async def test_absent_image_is_tried_again_in_its_time(tmp_path):
    world = World(tmp_path, spec(), images=())
    await world.begin()
    assert 0 < await world.start("main") <= 1
    assert world.record.waiting["main"].reason == "ErrImagePull"
    assert world.starter.remaining("main") > 0  # a turn for another reason does not pull again
    assert await world.start("main") > 8
    waiting = world.record.waiting["main"]
    assert waiting.reason == "ImagePullBackOff"
    assert waiting.message.startswith(f'Back-off pulling image "{IMAGE}": ErrImagePull: ')
    reasons = [(reason, message) for reason, message, _ in world.recorder.events]
    assert reasons[0] == ("Pulling", f'Pulling image "{IMAGE}"')
    assert reasons[1][0] == "Failed"
    assert reasons[1][1].startswith(f'Failed to pull image "{IMAGE}": ')
    assert reasons[2:] == [
        ("Failed", "Error: ErrImagePull"),
        ("BackOff", f'Back-off pulling image "{IMAGE}"'),
        ("Failed", "Error: ImagePullBackOff"),
    ]


async def test_policy_never_and_names_that_are_none(tmp_path):
    containers = [
        {"name": "never", "image": IMAGE, "imagePullPolicy": "Never"},
        {"name": "odd", "image": "a b"},
    ]
    world = World(tmp_path, {"containers": containers}, images=())
    await world.begin()
    await world.start("never")
    await world.start("odd")
    assert world.record.waiting["never"].reason == "ErrImageNeverPull"
    assert world.record.waiting["odd"].reason == "InvalidImageName"


async def test_containers_that_the_runtime_has_lost_count_by_their_logs(tmp_path):
    world = World(tmp_path, spec())
    logs = names.log_directory(tmp_path / "logs", world.record.pod) / "main"
    logs.mkdir(parents=True)
    for name in ("0.log", "9.log.20260101-000000.gz", "10.log"):
        (logs / name).touch()
    assert runs_by_logs(logs) == 11
    await world.begin()
    await world.start("main")
    assert world.record.newest("main").annotations[names.RESTART_COUNT] == "11"


async def test_ephemeral_container_sees_its_target(tmp_path):
    visitor = {"name": "debugger", "image": IMAGE, "targetContainerName": "main"}
    world = World(tmp_path, spec() | {"ephemeralContainers": [visitor]})
    await world.begin()
    await world.start("debugger")
    assert world.record.waiting["debugger"].reason == "CreateContainerConfigError"
    assert world.record.waiting["debugger"].message == "unable to find target container main"
    await world.start("main")
    assert await world.start("debugger") is None
    assert world.record.running("debugger") is not None
    assert world.recorder.events[-1][2] == "spec.ephemeralContainers{debugger}"


@pytest.mark.parametrize(("grace", "seconds"), [(0, 2), (1, 2), (5, 5)])
async def test_every_container_gets_two_seconds(tmp_path, grace, seconds):
    world = World(tmp_path, spec())
    await world.begin()
    await world.start("main")
    given = []
    stop = world.runtime.stop_container

    async def watch(container_id, timeout):
        given.append(timeout)
        await stop(container_id, timeout)

    world.runtime.stop_container = watch
    world.record.pod.spec.termination_grace_period_seconds = grace
    await world.stopper.stop_all()
    await observe(world.record)
    assert given == [seconds]
    assert world.record.newest("main").state == cri.CONTAINER_EXITED
    assert ("Killing", "Stopping container main", "spec.containers{main}") in world.recorder.events


class TokenClient:
    """Issues numbered tokens of an hour, unless it is down."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.issued = 0
        self.down = False

    async def create_subresource(self, which, name, subresource, body, namespace=""):
        if self.down:
            raise OSError("down")
        self.issued += 1
        answer = codecs.copy(body)
        answer.status.token = f"token-{self.issued}"
        answer.status.expiration_timestamp = datetime.fromtimestamp(self.clock() + 3600, UTC)
        return answer


async def test_tokens_are_renewed_before_they_expire():
    now = [1_000_000.0]
    client = TokenClient(lambda: now[0])
    sources = ApiSources(client, None, lambda: now[0])
    pod = codecs.from_builtins(Pod, {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}})
    projection = codecs.from_builtins(ServiceAccountTokenProjection, {"path": "token", "expirationSeconds": 3600})

    async def token() -> str:
        return await sources.service_account_token(pod, projection)

    assert await token() == "token-1"
    now[0] += 2879
    assert await token() == "token-1"
    now[0] += 2
    client.down = True
    assert await token() == "token-1"  # still good
    client.down = False
    assert await token() == "token-2"
    sources.forget("u")
    assert await token() == "token-3"

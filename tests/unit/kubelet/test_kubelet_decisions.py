"""The kubelet's decisions, without a machine."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import time
from datetime import UTC, datetime

import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import Pod, Secret, Service
from steersman.kubelet import names, plan, resolvconf, status
from steersman.kubelet.admission import admit
from steersman.kubelet.backoff import Backoff, go_duration
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.environment import expand, service_variables
from steersman.kubelet.images import archive_tags, build_pause_image, qualified
from steersman.kubelet.logs import LogOptions, read_log
from steersman.kubelet.pause import pause_binary
from steersman.kubelet.pulls import credentials, should_pull
from steersman.kubelet.qos import pod_requests, qos_class
from steersman.kubelet.status import Observation, Waiting
from steersman.kubelet.volumes import atomic
from steersman.kubelet.volumes.atomic import Projected


def make_pod(spec: dict, **metadata) -> Pod:
    return codecs.from_builtins(
        Pod, {"metadata": {"name": "p", "namespace": "ns", "uid": "u", **metadata}, "spec": spec}
    )


def container(
    name: str, state: int, pod: Pod, *, code: int = 0, restarts: int = 0, created: int = 1
) -> cri.ContainerStatus:
    spec = next(each for each in [*pod.spec.containers, *pod.spec.init_containers] if each.name == name)
    result = cri.ContainerStatus(
        id=f"{name}-{restarts}",
        state=state,
        exit_code=code,
        created_at=created,
        started_at=created,
        finished_at=created,
    )
    result.annotations[names.HASH] = names.container_hash(spec)
    result.annotations[names.RESTART_COUNT] = str(restarts)
    return result


READY_SANDBOX = cri.PodSandbox(id="s", state=cri.SANDBOX_READY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$(B)", "$(B)"),
        ("x$(A)y$", "x1y$"),
        ("$$$(A)", "$1"),
        ("$(A", "$(A"),
    ],
)
def test_expansion(text, expected):
    assert expand(text, {"A": "1"}) == expected


def test_service_variables():
    service = codecs.from_builtins(
        Service,
        {
            "metadata": {"name": "my-db"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]},
        },
    )
    variables = service_variables([service])
    assert variables["MY_DB_SERVICE_HOST"] == "10.0.0.1"
    assert variables["MY_DB_SERVICE_PORT_SQL"] == "5432"
    assert variables["MY_DB_PORT"] == variables["MY_DB_PORT_5432_TCP"] == "tcp://10.0.0.1:5432"


def test_resolver_of_a_pod():
    host = resolvconf.parse("nameserver 1.1.1.1\nsearch corp.example\noptions timeout:1\n")
    inside = resolvconf.pod_resolver(make_pod({}), host, cluster_dns=("10.96.0.10",), cluster_domain="cluster.local")
    assert inside.nameservers == ("10.96.0.10",)
    assert inside.searches == ("ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")
    assert inside.options == ("ndots:5",)
    on_host = make_pod({"hostNetwork": True, "dnsPolicy": "ClusterFirst"})
    assert resolvconf.pod_resolver(on_host, host, cluster_dns=("10.96.0.10",), cluster_domain="c") == host
    own = make_pod(
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["9.9.9.9"], "options": [{"name": "ndots", "value": "2"}]}}
    )
    result = resolvconf.pod_resolver(own, host, cluster_dns=("10.96.0.10",), cluster_domain="c")
    assert (result.nameservers, result.options) == (("9.9.9.9",), ("ndots:2",))


def test_quality_of_service():
    full = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}}
    assert qos_class(make_pod({"containers": [{"name": "a", "resources": full}]})) == "Guaranteed"
    assert qos_class(make_pod({"containers": [{"name": "a", "resources": full}, {"name": "b"}]})) == "Burstable"
    assert qos_class(make_pod({"containers": [{"name": "a"}]})) == "BestEffort"
    staged = make_pod(
        {
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "1"}}},
            ],
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "200m"}}}],
        }
    )
    assert pod_requests(staged)["cpu"] == 1100


def test_backoff_doubles_and_is_forgotten():
    now = [0.0]
    backoff = Backoff(10, 300, lambda: now[0])
    assert backoff.remaining("k") == 0
    assert [backoff.failed("k") for _ in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.remaining("k") == 300
    now[0] = 601
    assert backoff.failed("k") == 10


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (160, "2m40s"), (300, "5m0s"), (0.25, "250ms"), (1.5, "1.5s")]
)
def test_durations_as_go_prints_them(seconds, text):
    assert go_duration(seconds) == text


def test_atomic_writer(tmp_path):
    assert atomic.write(tmp_path, {"a": Projected(b"1"), "d/b": Projected(b"2", 0o600)})
    first = os.readlink(tmp_path / "..data")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "d/b").stat().st_mode & 0o777 == 0o600
    assert not atomic.write(tmp_path, {"a": Projected(b"1"), "d/b": Projected(b"2", 0o600)})
    assert atomic.write(tmp_path, {"a": Projected(b"3")})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert not (tmp_path / "d").exists()
    assert not (tmp_path / first).exists()
    with pytest.raises(atomic.InvalidPath):
        atomic.write(tmp_path, {"../x": Projected(b"")})


def test_pause_program_runs_and_ends_politely(tmp_path):
    program = tmp_path / "pause"
    program.write_bytes(pause_binary())
    program.chmod(0o755)
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen([program])
        process.send_signal(signal.SIGCHLD)
        time.sleep(0.05)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(5) == 0
    assert pause_binary("aarch64")[:4] == b"\x7fELF"


def test_pause_image_is_reproducible(tmp_path):
    one, two = build_pause_image(tmp_path / "a.tar"), build_pause_image(tmp_path / "b.tar")
    assert archive_tags(one) == ["steersman.io/pause:1"]
    assert one.read_bytes() == two.read_bytes()


def test_image_names():
    assert qualified("busybox") == "docker.io/library/busybox:latest"
    assert qualified("a/b:1") == "docker.io/a/b:1"
    assert qualified("localhost:5000/b") == "localhost:5000/b:latest"
    assert should_pull("", "busybox", present=True)
    assert not should_pull("", "busybox:1", present=True)
    assert not should_pull("Never", "busybox", present=False)
    secret = Secret(data={".dockerconfigjson": b'{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"}}}'})
    [auth] = credentials("busybox", [secret])
    assert (auth.username, auth.password) == ("u", "p")
    assert credentials("quay.io/x", [secret]) == []


async def test_reading_logs(tmp_path):
    path = tmp_path / "0.log"
    rows = [
        "2026-01-01T00:00:00.000000001Z stdout F one",
        "2026-01-01T00:00:01.000000001Z stdout P tw",
        "2026-01-01T00:00:01.000000002Z stdout F o",
        "2026-01-01T00:00:02.000000001Z stderr F three",
    ]
    path.write_text("\n".join(rows) + "\n")

    async def read(**options) -> str:
        return b"".join([piece async for piece in read_log(path, LogOptions(**options), lambda: False)]).decode()

    assert await read() == "one\ntwo\nthree\n"
    assert await read(follow=True) == "one\ntwo\nthree\n"
    assert await read(tail_lines=1) == "three\n"
    assert await read(tail_lines=9) == "one\ntwo\nthree\n"
    assert await read(limit_bytes=5) == "one\nt"
    assert await read(since=datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)) == "three\n"
    assert (await read(timestamps=True)).splitlines()[1] == "2026-01-01T00:00:01.000000001Z two"


async def test_what_is_written_meanwhile_is_not_among_the_last_lines(tmp_path):
    stamp = b"2026-01-01T00:00:00.000000001Z stdout F "
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(stamp + each * 50_000 + b"\n" for each in (b"a", b"b", b"c")))
    pieces = read_log(path, LogOptions(tail_lines=2), lambda: True)
    read = await anext(pieces)
    with path.open("ab") as log:
        log.write(stamp + b"d\n")
    read += b"".join([piece async for piece in pieces])
    assert read == b"b" * 50_000 + b"\n" + b"c" * 50_000 + b"\n"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7, 3000, 5000, 9000])
async def test_tails_reach_into_rotated_logs(tmp_path, count):
    def rows(start: int, end: int) -> bytes:
        stamp = "2026-01-01T00:00:00.000000001Z stdout F"
        return "".join(f"{stamp} {number} {'x' * 40}\n" for number in range(start, end)).encode()

    path = tmp_path / "0.log"
    (tmp_path / "0.log.20260101-000000.gz").write_bytes(gzip.compress(rows(0, 2000)))
    (tmp_path / "0.log.20260101-000001").write_bytes(rows(2000, 5000))
    path.write_bytes(rows(5000, 5003))
    pieces = [piece async for piece in read_log(path, LogOptions(tail_lines=count), lambda: False)]
    numbers = [int(line.split()[0]) for line in b"".join(pieces).splitlines()]
    assert numbers == list(range(max(0, 5003 - count), 5003))
    limited = [piece async for piece in read_log(path, LogOptions(tail_lines=count, limit_bytes=7), lambda: False)]
    assert len(b"".join(limited)) == min(7, len(b"".join(pieces)))


def test_plan_goes_through_init_containers_and_sidecars():
    pod = make_pod(
        {
            "initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "init"}],
            "containers": [{"name": "a"}, {"name": "b"}],
        }
    )

    def step(containers, started=frozenset()):
        return plan.make(pod, sandbox=READY_SANDBOX, containers=containers, started=started, unhealthy={})

    assert plan.make(pod, sandbox=None, containers={}, started=frozenset(), unhealthy={}).create_sandbox
    assert step({}).start == ("side",)
    side = [container("side", cri.CONTAINER_RUNNING, pod)]
    assert step({"side": side}).start == ()
    assert step({"side": side}, frozenset({"side"})).start == ("init",)
    done = {"side": side, "init": [container("init", cri.CONTAINER_EXITED, pod)]}
    assert step(done, frozenset({"side"})).start == ("a", "b")
    running = {
        **done,
        "a": [container("a", cri.CONTAINER_RUNNING, pod)],
        "b": [container("b", cri.CONTAINER_EXITED, pod, code=1)],
    }
    assert step(running, frozenset({"side"})).start == ("b",)


def test_plan_ends_by_restart_policy():
    for policy, code, done in [
        ("Never", 1, True),
        ("OnFailure", 0, True),
        ("OnFailure", 1, False),
        ("Always", 0, False),
    ]:
        pod = make_pod({"restartPolicy": policy, "containers": [{"name": "a"}]})
        containers = {"a": [container("a", cri.CONTAINER_EXITED, pod, code=code)]}
        assert (
            plan.make(pod, sandbox=READY_SANDBOX, containers=containers, started=frozenset(), unhealthy={}).done == done
        )


def test_plan_kills_what_changed_or_is_unwell():
    pod = make_pod({"containers": [{"name": "a", "image": "x:1"}]})
    containers = {"a": [container("a", cri.CONTAINER_RUNNING, pod)]}
    decided = plan.make(
        pod, sandbox=READY_SANDBOX, containers=containers, started=frozenset(), unhealthy={"a": "liveness"}
    )
    assert decided.kill[0].message == "Container a failed liveness probe, will be restarted"
    pod.spec.containers[0].image = "x:2"
    decided = plan.make(pod, sandbox=READY_SANDBOX, containers=containers, started=frozenset(), unhealthy={})
    assert decided.kill[0].message == "Container a definition changed, will be restarted"


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def conditions(result) -> dict[str, tuple[str, str]]:
    return {each.type: (each.status, each.reason) for each in result.conditions}


def test_status_of_a_running_pod():
    pod = make_pod({"containers": [{"name": "a", "image": "x"}]}, generation=2)
    seen = Observation(
        containers={"a": [container("a", cri.CONTAINER_RUNNING, pod)]},
        sandbox_ready=True,
        pod_ips=("10.0.0.2",),
        ready=frozenset({"a"}),
        started=frozenset({"a"}),
    )
    result = status.compute(pod, seen, NOW)
    assert (result.phase, result.pod_ip, result.observed_generation) == ("Running", "10.0.0.2", 2)
    assert conditions(result)["Ready"] == ("True", "")
    assert result.container_statuses[0].ready


def test_status_of_a_crash_loop():
    pod = make_pod({"containers": [{"name": "a", "image": "x"}]})
    seen = Observation(
        containers={"a": [container("a", cri.CONTAINER_EXITED, pod, code=2, restarts=3)]},
        sandbox_ready=True,
        waiting={"a": Waiting("CrashLoopBackOff", "back-off")},
    )
    result = status.compute(pod, seen, NOW)
    [only] = result.container_statuses
    assert (result.phase, only.state.waiting.reason, only.last_state.terminated.exit_code) == (
        "Running",
        "CrashLoopBackOff",
        2,
    )
    assert only.restart_count == 3
    assert conditions(result)["Ready"] == ("False", "ContainersNotReady")


def test_status_before_anything_ran():
    pod = make_pod({"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]})
    result = status.compute(pod, Observation(), NOW)
    assert result.phase == "Pending"
    assert result.container_statuses[0].state.waiting.reason == "PodInitializing"
    assert conditions(result)["Initialized"] == ("False", "ContainersNotInitialized")
    assert conditions(result)["PodReadyToStartContainers"] == ("False", "")


def test_a_terminal_phase_is_kept():
    pod = make_pod({"restartPolicy": "Never", "containers": [{"name": "a"}]})
    pod.status.phase = "Succeeded"
    assert status.compute(pod, Observation(terminated=True), NOW).phase == "Succeeded"


def test_admission():
    resources = {"requests": {"cpu": "600m"}}
    pod = make_pod(
        {"containers": [{"name": "a", "resources": resources, "ports": [{"containerPort": 80, "hostPort": 80}]}]}
    )
    allocatable = {"cpu": "1", "memory": "1Gi", "pods": "110"}
    assert admit(pod, [], None, allocatable) is None
    assert admit(pod, [pod], None, allocatable).reason == "OutOfcpu"
    assert admit(pod, [pod], None, {"cpu": "2", "pods": "110"}).reason == "NodePorts"
    assert admit(pod, [pod], None, {"cpu": "2", "pods": "1"}).reason == "OutOfpods"


def test_status_of_a_container_that_the_runtime_has_lost():
    pod = make_pod({"containers": [{"name": "a", "image": "i"}]})
    before = codecs.from_builtins(
        Pod,
        {
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "a", "restartCount": 2, "containerID": "containerd://x", "state": {"running": {}}}
                ],
            }
        },
    )
    pod.status = before.status
    when = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(2):  # the second look adds nothing
        computed = status.compute(pod, Observation(), when)
        lost = computed.container_statuses[0]
        assert lost.state.waiting.reason == "ContainerCreating"
        assert (lost.last_state.terminated.reason, lost.last_state.terminated.exit_code) == (
            "ContainerStatusUnknown",
            137,
        )
        assert lost.restart_count == 3
        assert computed.phase == "Running"
        pod.status = computed


def test_plan_starts_ephemeral_containers_once():
    spec = {
        "containers": [{"name": "a", "image": "i"}],
        "ephemeralContainers": [{"name": "debug", "image": "i"}],
    }
    pod = make_pod(spec)
    running = {"a": [container("a", cri.CONTAINER_RUNNING, pod)]}

    def start(containers):
        return plan.make(
            pod, sandbox=READY_SANDBOX, containers=containers, started=frozenset({"a"}), unhealthy={}
        ).start

    assert start(running) == ("debug",)
    ended = cri.ContainerStatus(id="d", state=cri.CONTAINER_EXITED, exit_code=1)
    assert start(running | {"debug": [ended]}) == ()

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steersman.planning.faults import ScenarioError
from steersman.planning.happenings import Add, Befall, Scale, Wait
from steersman.planning.scenario import read

HEAD = "apiVersion: planning.steersman.dev/v1alpha1\nkind: Scenario\n"
NODES = "nodes: [{count: 2, zone: a}, {count: 1, zone: b, region: eu}, {name: 'big-{}', cpu: '64'}]\n"


def scenario(text: str, directory: Path = Path()) -> Any:
    return read(HEAD + NODES + text, directory)


def test_nodes_are_called_after_their_zone_and_numbered_on() -> None:
    made = scenario("events: [{add nodes: {count: 2, zone: a}}, {add nodes: [{name: big}, {zone: c}]}, zone c fails]")
    assert [pool.names() for pool in made.nodes] == [["a-0", "a-1"], ["b-0"], ["big-0"]]
    first, second, last = (each.what for each in made.happenings)
    assert [pool.names() for pool in first.pools] == [["a-2", "a-3"]]
    assert [pool.names() for pool in second.pools] == [["big"], ["c-0"]]
    assert last == Befall("zone", "c", "fails")


@pytest.mark.parametrize("name", ["x-{}", "x{}-{}5"])
def test_numbers_go_on_after_the_last(name: str) -> None:
    made = read(f"{HEAD}nodes: [{{name: '{name}', first: 2}}, {{name: '{name}', count: 2}}, {{name: x-a}}]", Path())
    wanted = [[name.replace("{}", str(number)) for number in numbers] for numbers in ([2], [3, 4])]
    assert [pool.names() for pool in made.nodes] == [*wanted, ["x-a"]]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("zone a fails", Befall("zone", "a", "fails")),
        ("  region  eu returns ", Befall("region", "eu", "returns")),
        ("node big-0 drains", Befall("node", "big-0", "drains")),
        ("scale deployment/web to 10", Scale("deployment", "web", "default", 10)),
        ("scale replicaset/web in shop to 0", Scale("replicaset", "web", "shop", 0)),
        ("wait 90s", Wait(90)),
        ("wait 1h30m", Wait(5400)),
        ("zone: a fails", Befall("zone", "a", "fails")),
        ("wait: 10m", Wait(600)),
    ],
)
def test_events_are_phrases(text: str, what: object) -> None:
    (made,) = scenario(f"events:\n- {text}").happenings
    assert made.what == what


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nodes: 1", 'nodes: expected "array", got "int"'),
        ("nodes: []", "nodes: there must be some"),
        ("nodes: [{cpus: 1}]", 'nodes[0]: object contains unknown field "cpus"'),
        ("nodes: [{cpu: 8x}]", "nodes[0].cpu: '8x' is no quantity"),
        ("nodes: [{cpu: [8]}]", 'nodes[0].cpu: expected "int | float | str", got "array"'),
        ("nodes: [{resources: {gpu: much}}]", "nodes[0].resources[gpu]: 'much' is no quantity"),
        ("nodes: [{cpu: '-1'}]", "nodes[0].cpu: must not be negative"),
        ("nodes: [{ephemeralStorage: ''}]", "nodes[0].ephemeralStorage: '' is no quantity"),
        ("nodes: [{pods: -1}]", "nodes[0].pods: must not be negative"),
        ("nodes: [{resources: {nvidia.com/gpu: '1.5'}}]", 'nodes[0].resources[nvidia.com/gpu]: Invalid value: "1.5"'),
        ("nodes: [{zone: A}]", 'nodes[0].name: Invalid value: "A-0": a lowercase RFC 1123 subdomain must consist'),
        ("nodes: [{zone: a/b}]", "nodes[0].zone: a valid label must be"),
        ("nodes: [{region: 'a b'}]", "nodes[0].region: a valid label must be"),
        ("nodes: [{labels: {'a b': c}}]", 'nodes[0].labels: Invalid value: "a b": name part must consist'),
        ("nodes: [{taints: ['a b=c:NoSchedule']}]", 'nodes[0].taints[0].key: Invalid value: "a b": name part must'),
        ("nodes: [{name: '{x}'}]", "nodes[0].name: '{x}' is no name of nodes: write {} for the number"),
        ("nodes: [{first: -1}]", "nodes[0].first: must not be negative"),
        ("nodes: [{count: 6000}, {count: 6000}]", "nodes[1].count: too many nodes: 10000 at most"),
        ("nodes: [{cpu: .inf}]", "json: unsupported value: inf"),
        ("nodes: [{count: 0}]", "nodes[0].count: must be from 1 to 10000"),
        ("nodes: [{}, {taints: [a=b]}]", "nodes[1].taints[0]: 'a=b' is no taint: write key=value:effect"),
        ("nodes: [{name: x}, {name: x}]", "nodes[1].name: there is a node x already, of nodes[0]"),
        ("kind: Cluster", "kind: must be Scenario, not 'Cluster'"),
        ("apiVersion: v1", "apiVersion: must be planning.steersman.dev/v1alpha1, not 'v1'"),
        ("nodez: []", 'object contains unknown field "nodez"'),
        ("events: [zone x fails]", "events[0]: there is no zone 'x'; there are: a, b"),
        ("events: [node c-0 fails]", "events[0]: there is no node 'c-0'; there are: a-0, a-1, b-0, big-0"),
        ("events: [zone a breaks]", "events[0]: 'zone a breaks' is no event; write such as: zone a fails;"),
        ("events: [wait 5]", "events[0]: '5' is no duration: write such as 90s, 10m or 1h30m"),
        ("events: [wait 9d]", "events[0]: 9d is too long: wait for 7d at most"),
        ("events: [scale deployment/web to 1000000]", "events[0]: 1000000 replicas are too many: 100000 at most"),
        ("events: [[]]", "events[0]: this is no event; write such as: zone a fails;"),
        ("events: [{add nodes: {cpu: x}}]", "events[0].add nodes[0].cpu: 'x' is no quantity"),
        ("events: [{add nodes: {cpuu: 1}}]", 'events[0].add nodes[0]: object contains unknown field "cpuu"'),
        ("events: [{add nodes: {name: big-0}}]", "events[0].add nodes[0].name: there is a node big-0 already"),
        ("workloads: [web.yaml]", "workloads[0]: there is no file web.yaml"),
        ("workloads: [{kind: Pod}]", "workloads[0]: an object needs apiVersion and kind"),
        (
            "workloads: [{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}}]",
            "workloads[0]: StatefulSet db: has no controller here yet; write a Deployment instead",
        ),
        (
            "workloads: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: w}, spec: {replcas: 1}}]",
            'workloads[0]: Deployment w: unknown field "spec.replcas"',
        ),
        (
            "workloads: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{}, {resources: "
            "{requests: {cpu: 1x}}}]}}]",
            "workloads[0]: Pod p: spec.containers[1].resources.requests.cpu: '1x' is no quantity",
        ),
        (
            "workloads: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: w}, "
            "spec: {template: {spec: {volumes: [{emptyDir: {sizeLimit: ''}}]}}}}]",
            "workloads[0]: Deployment w: spec.template.spec.volumes[0].emptyDir.sizeLimit: '' is no quantity",
        ),
        (
            "workloads: [{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: w}, spec: {replicas: 1000000}}]",
            "workloads[0]: ReplicaSet w: spec.replicas: too many: 100000 at most",
        ),
        (
            "workloads: [{apiVersion: v1, kind: Pod, metadata: x}]",
            "workloads[0]: metadata: expected an object, got 'x'",
        ),
        ("workloads: [3]", "workloads[0]: this is neither a manifest nor a file"),
        ("workloads: [{apiVersion: a/v1, kind: B}]", 'workloads[0]: B: no matches for kind "B" in version "a/v1"'),
        (
            "workloads: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: a-0}}]",
            "workloads[0]: Pod p: spec.nodeName: the scheduler is to choose the node",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_path(text: str, fault: str, tmp_path: Path) -> None:
    name = text.partition(":")[0]
    base = {"apiVersion": HEAD.splitlines()[0], "kind": HEAD.splitlines()[1], "nodes": NODES.strip()}
    lines = [line for key, line in base.items() if key != name]
    with pytest.raises(ScenarioError) as caught:
        read("\n".join([*lines, text]), tmp_path)
    assert str(caught.value).startswith(fault)


def test_files_are_found_from_the_scenario_and_their_faults_named(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}
    (tmp_path / "pods.yaml").write_bytes(msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": [pod]}))
    ((path, made),) = scenario("workloads: [{file: pods.yaml}]", tmp_path).workloads
    assert path == "workloads[0]: pods.yaml: Pod p"
    assert (made.kind, made.metadata.name, made.metadata.namespace) == ("Pod", "p", "default")
    (tmp_path / "job.yaml").write_text("{apiVersion: batch/v1, kind: Job, metadata: {name: j}}")
    with pytest.raises(ScenarioError, match=r"^workloads\[0\]: job.yaml: Job j: has no controller here yet"):
        scenario("workloads: [job.yaml]", tmp_path)


def test_amounts_are_written_as_in_manifests() -> None:
    text = f"{HEAD}nodes: [{{cpu: 0.5, memory: 4294967296, resources: {{nvidia.com/gpu: 8}}}}]"
    (pool,) = read(text, Path()).nodes
    (node,) = pool.nodes(0, datetime.min)
    expected = {
        "cpu": "0.5",
        "memory": "4294967296",
        "ephemeral-storage": "100Gi",
        "pods": "110",
        "nvidia.com/gpu": "8",
    }
    assert node.status.capacity == expected


def test_nodes_that_join_are_known_to_later_events_alone() -> None:
    with pytest.raises(ScenarioError, match="there is no zone 'c'"):
        scenario("events: [zone c fails, {add nodes: {zone: c}}]")
    assert isinstance(scenario("events: [{add nodes: {zone: c}}, zone c fails]").happenings[0].what, Add)

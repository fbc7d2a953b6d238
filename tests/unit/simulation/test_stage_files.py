"""kwok's stage files: which objects they choose, when, and what they make of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import (
    ConfigMap,
    Container,
    Node,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    PodStatus,
    VolumeResourceRequirements,
)
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.client.client import Client
from steersman.simulation import NodeShape, stages_of
from steersman.simulation.queries import compile_query
from steersman.simulation.stage import Amend, Stage, StageFault, Subject, Tell, choose
from steersman.simulation.stage_files import load_stages
from steersman.testing import eventually
from steersman.testing.turnable_clock import TurnableClock

from .test_simulated_nodes import gone, pod, reached, simulating

STAGES = Path(__file__).parent / "stages"
NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


class Here:
    """A node that gives out one address."""

    name = "node-0"
    address = "10.0.0.1"
    started = NOW
    recovered = None

    def take_addresses(self, owner: str) -> list[str]:
        return ["10.1.0.2"]


def subject(obj: Any, seed: int = 0) -> Subject:
    return Subject(obj, Here(), NOW, random.Random(seed))


def a_pod(**metadata: Any) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="a", namespace="default", uid="1-2", **metadata),
        spec=PodSpec(node_name="node-0", containers=[Container(name="c", image="nginx")]),
        status=PodStatus(phase="Pending"),
    )


def stage(spec: str, path: Path, name: str = "s") -> Stage:
    reference = "" if "resourceRef" in spec else "  resourceRef: {kind: Pod}\n"
    following = "" if "next:" in spec or "steps:" in spec else "  next: {}\n"
    selector = "" if "selector:" in spec else "  selector: {}\n"
    text = f"apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\nmetadata: {{name: {name}}}\nspec:\n"
    file = path / "stage.yaml"
    file.write_text(text + reference + selector + following + spec)
    return load_stages(file)[0]


# Queries --------------------------------------------------------------------------------------------------------

TREE = {
    "a": {"b": "x", "c.d/e": "y", "list": [{"type": "R", "n": 1}, {"type": "S", "n": 2}], "null": None},
    "n": 3,
}


@pytest.mark.parametrize(
    ("query", "results"),
    [
        (".", [TREE]),
        (".a.b", ["x"]),
        ('.a["c.d/e"]', ["y"]),
        ('.a."c.d/e"', ["y"]),
        (".missing", [None]),
        (".missing.deeper", [None]),
        (".a.b.c", []),
        (".a.list[].n", [1, 2]),
        (".a.list.[].n", [1, 2]),
        (".a.list[0].type", ["R"]),
        (".a.list[-1].n", [2]),
        (".a.list[9]", [None]),
        (".missing[]", []),
        (".n[]?", []),
        ('.a.list.[] | select( .type == "S" ) | .n', [2]),
        ('.a.list[] | select(.type == "T") | .n', []),
        (".a.list[] | select(.n == 1) | .type", ["R"]),
        # jq's own
        ('.a | has("b")', [True]),
        (".a.list | length", [2]),
        (".a.list | map(.n) | add", [3]),
        (".a.b | tonumber", []),
        (".n + 1", [4]),
        ('.a.list[] | select(.n > 1 and .type == "S") | .n', [2]),
    ],
)
def test_queries_are_jqs(query: str, results: list[Any]) -> None:
    assert compile_query(query)(TREE) == results


def test_what_is_no_query() -> None:
    with pytest.raises(ValueError, match="is no expression of jq"):
        compile_query(".a[")


# Stages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("{}", True),
        ("{matchLabels: {app: web}}", True),
        ("{matchLabels: {app: other}}", False),
        ("{matchAnnotations: {note: x}}", True),
        ("{matchAnnotations: {note: other}}", False),
        ('{matchExpressions: [{key: ".status.phase", operator: In, values: [Pending, Running]}]}', True),
        ('{matchExpressions: [{key: ".status.phase", operator: NotIn, values: [Pending]}]}', False),
        ('{matchExpressions: [{key: ".status.podIP", operator: DoesNotExist}]}', True),
        ('{matchExpressions: [{key: ".status.podIP", operator: Exists}]}', False),
        ('{matchExpressions: [{key: ".metadata.labels[]", operator: In, values: [web]}]}', True),
        ('{matchExpressions: [{key: ".metadata.generation", operator: In, values: ["2"]}]}', True),
        ('{matchExpressions: [{key: ".spec.hostNetwork", operator: In, values: ["true"]}]}', False),
        ('{matchExpressions: [{key: ".status.podIP.x[]", operator: NotIn, values: [a]}]}', True),
        ('{matchExpressions: [{jq: {key: ".status.phase", operator: In, values: [Pending]}}]}', True),
        ("{matchExpressions: [{cel: {expression: \"self.status.phase == 'Pending'\"}}]}", True),
        ("{matchExpressions: [{expression: \"has(self.status.podIP) || 'app' in self.metadata.annotations\"}]}", False),
        ("{matchExpressions: [{expression: \"self.metadata.labels['app'].matches('^w')\"}]}", True),
        ("{matchExpressions: [{expression: \"self.spec.containers.all(c, c.image == 'nginx')\"}]}", True),
        (
            "{matchExpressions: [{expression: "
            "\"self.metadata.creationTimestamp < timestamp('2026-11-21T14:00:00Z')\"}]}",
            True,
        ),
    ],
)
def test_selectors(selector: str, matches: bool, tmp_path: Path) -> None:
    found = stage(f"  selector: {selector}\n", tmp_path)
    there = a_pod(labels={"app": "web"}, annotations={"note": "x"}, generation=2, creation_timestamp=NOW)
    assert found.matches(subject(there)) is matches


def test_without_a_selector_nothing_matches(tmp_path: Path) -> None:
    assert not stage("  selector: null\n", tmp_path).matches(subject(a_pod()))


@pytest.mark.parametrize(
    ("delay", "annotation", "expected"),
    [
        ("{durationMilliseconds: 1500}", "", 1.5),
        ("{durationMilliseconds: 5000, jitterDurationMilliseconds: 1000}", "", 1.0),
        ("{durationMilliseconds: 1000, durationFrom: {expressionFrom: '.metadata.annotations.d'}}", "", 1.0),
        ("{durationMilliseconds: 1000, durationFrom: {expressionFrom: '.metadata.annotations.d'}}", "1m30s", 90.0),
        ("{durationMilliseconds: 1000, durationFrom: {jq: {expression: '.metadata.annotations.d'}}}", "250ms", 0.25),
        ("{durationFrom: {expressionFrom: '.metadata.annotations.d'}}", "2026-11-21T13:00:07Z", 7.0),
        ("{durationFrom: {expressionFrom: '.metadata.annotations.d'}}", "nonsense", 0.0),
        ("{durationMilliseconds: 1000, jitterDurationFrom: {expressionFrom: '.metadata.annotations.d'}}",
         "2026-11-21T13:00:00.5Z", 0.5),
    ],
)  # fmt: skip
def test_delays(delay: str, annotation: str, expected: float, tmp_path: Path) -> None:
    found = stage(f"  delay: {delay}\n", tmp_path)
    assert found.delay is not None
    there = a_pod(annotations={"d": annotation} if annotation else {})
    assert found.delay(subject(there)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("{durationFrom: {cel: {expression: \"duration(self.metadata.annotations['d'])\"}}}", 90.0),
        ("{durationFrom: {cel: {expression: \"self.metadata.creationTimestamp + duration('7s')\"}}}", 7.0),
        ("{durationMilliseconds: 5, durationFrom: {cel: {expression: \"duration('1m') * 0\"}}}", None),
    ],
)
def test_delays_in_cel(delay: str, seconds: float | None, tmp_path: Path) -> None:
    if seconds is None:
        with pytest.raises(ValueError, match="no matching overload"):
            stage(f"  delay: {delay}\n", tmp_path)
        return
    found = stage(f"  delay: {delay}\n", tmp_path)
    assert found.delay is not None
    assert found.delay(subject(a_pod(annotations={"d": "1m30s"}, creation_timestamp=NOW))) == pytest.approx(seconds)


def test_what_cel_gets_wrong_is_the_stages_fault(tmp_path: Path) -> None:
    found = stage(
        "  selector: {matchExpressions: [{expression: \"self.metadata.annotations['x'] == 'y'\"}]}\n"
        "  weightFrom: {cel: {expression: \"int(self.metadata.annotations['x'])\"}}\n",
        tmp_path,
    )
    for ask in (found.matches, found.weight):
        with pytest.raises(StageFault, match="no such key: annotations"):
            ask(subject(a_pod()))
    there = subject(a_pod(annotations={"x": "7"}))
    assert (found.matches(there), found.weight(there)) == (False, 7)


def test_jitter_is_drawn(tmp_path: Path) -> None:
    found = stage("  delay: {durationMilliseconds: 1000, jitterDurationMilliseconds: 5000}\n", tmp_path)
    assert found.delay is not None
    drawn = [found.delay(subject(a_pod(), seed)) for seed in range(50)]
    assert all(1 <= each <= 5 for each in drawn)
    assert max(drawn) - min(drawn) > 2


def test_stages_are_drawn_by_weight(tmp_path: Path) -> None:
    def drawn(*weights: str, annotations: dict[str, str] | None = None) -> set[str]:
        stages = tuple(stage(f"  {weight}\n", tmp_path, f"s{number}") for number, weight in enumerate(weights))
        there = a_pod(annotations=annotations or {})
        return {found.name for seed in range(40) if (found := choose(stages, subject(there, seed)))}

    by_annotation = "weightFrom: {expressionFrom: '.metadata.annotations.w'}\n  weight: 1"
    assert drawn("weight: 1", "weight: 0") == {"s0"}
    assert drawn("weight: 1", "weight: 1") == {"s0", "s1"}
    assert drawn("weight: 0", "weight: 0") == {"s0", "s1"}
    assert drawn(by_annotation, "weight: 0", annotations={"w": "0"}) == {"s0", "s1"}
    assert drawn(by_annotation, "weight: 3", annotations={"w": "0"}) == {"s1"}
    assert drawn(by_annotation, "weight: 0") == {"s0"}
    assert drawn("weight: 0", by_annotation, annotations={"w": "nonsense"}) == {"s0"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("  resourceRef: {kind: Site, apiGroup: example.com/v1}\n", "example.com/v1 Site has no stages here; only"),
        ("  resourceRef: {kind: Binding}\n", "v1 Binding has no stages here; only built-in kinds do"),
        (
            "  resourceRef: {kind: Deployment, apiGroup: apps/v1}\n  next: {statusTemplate: '{{ NodeIP }}'}\n",
            'function "NodeIP" not defined',
        ),
        ("  next: {}\n  steps: [{delete: true}]\n", "one of next and steps is needed"),
        ("  selector: {matchExpression: []}\n", "unknown field `matchExpression`"),
        ('  selector: {matchExpressions: [{key: ".a", operator: Is}]}\n', "there is no operator 'Is'"),
        ('  selector: {matchExpressions: [{key: ".a", operator: In}]}\n', "In needs values"),
        ('  selector: {matchExpressions: [{key: ".a", operator: Exists, values: [x]}]}\n', "Exists takes no values"),
        ('  selector: {matchExpressions: [{cel: {expression: "self.spec.x"}}]}\n', "undefined field 'x'"),
        ('  selector: {matchExpressions: [{expression: "1 + 1"}]}\n', "must evaluate to one of [bool dyn] but got int"),
        ('  selector: {matchExpressions: [{expression: "true", key: ".a"}]}\n', "an expression is one of key, jq,"),
        (
            "  selector: {matchExpressions: [{operator: Exists}]}\n",
            "an expression is one of key, jq, expression and cel",
        ),
        ("  weightFrom: {}\n", "an expression is one of expressionFrom, jq and cel"),
        (
            '  weightFrom: {cel: {expression: "1"}, jq: {expression: ".a"}}\n',
            "an expression is one of expressionFrom, jq and cel",
        ),
        (
            "  delay: {durationFrom: {cel: {expression: \"duration('1s')\"}, expressionFrom: .a}}\n",
            "an expression is one of expressionFrom, jq and cel",
        ),
        ('  delay: {durationFrom: {cel: {expression: "1"}}}\n', "but got int"),
        ('  selector: {matchExpressions: [{key: ".a[", operator: Exists}]}\n', "is no expression of jq"),
        ('  next: {statusTemplate: "{{ Nope }}"}\n', 'template: s:1: function "Nope" not defined'),
        ("  next: {patches: [{type: weird}]}\n", "there is no type 'weird'"),
        ("  next: {patches: [{impersonation: {username: x}}]}\n", "impersonation is not available here"),
        ("  next: {statusSubresource: approval}\n", "statusSubresource is not available for Pods and Nodes"),
        ("  weight: -1\n", "Expected `int` >= 0"),
        ("  delay: {durationMilliseconds: -1}\n", "Expected `int` >= 0"),
        ("  delay: {durationMilliseconds: soon}\n", "Expected `int | null`, got `str`"),
    ],
)
def test_what_no_stage_can_say(spec: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"stage\.yaml: stage 's': ") as caught:
        stage(spec, tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


STAGE = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {}
spec: {resourceRef: {kind: Pod}, selector: {}, next: {}}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Pod\napiVersion: v1\nmetadata: {name: x}\n", "v1 Pod 'x' is no stage"),
        ("- 1\n", "expected an object, got list"),
        ("kind: Stage\napiVersion: kwok.x-k8s.io/v1alpha1\nmetadata: x\n", "stage '': Expected `object`, got `str`"),
        ("a: [\n", "yaml"),
        ("kind: List\nitems: 3\n", "items: expected a list, got int"),
        (STAGE, "stage '': metadata.name: a stage needs one"),
        (
            "---".join(STAGE.replace("{}", "{name: a}", 1) for _ in range(2)),
            "there are 2 stages 'a' of Pod: each needs a name of its own",
        ),
    ],
)
def test_what_is_no_stage(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_stages(file)


def test_directories_of_stages(tmp_path: Path) -> None:
    stage("  weight: 1\n", tmp_path, "pod-ready")
    (tmp_path / "kustomization.yaml").write_text("resources: [stage.yaml]\n")
    (tmp_path / "README.md").write_text("no stage")
    (tmp_path / "testdata").mkdir()
    names = [each.name for each in stages_of("fast", tmp_path) if each.kind == "Pod"]
    assert names == ["pod-ready", "pod-recover", "pod-complete", "pod-delete"]
    assert stages_of("fast", tmp_path)[1] != stages_of("fast")[1]  # the file's is in the place of the other
    with pytest.raises(ValueError, match="there are no stages"):
        stages_of(tmp_path / "testdata")


def test_patches_say_where_and_of_which_object(tmp_path: Path) -> None:
    found = stage(
        """  next:
    patches:
    - {template: "metadata: {labels: {a: b}}", type: merge}
    - {root: status, subresource: status, type: json, template: "[{op: add, path: /phase, value: Running}]"}
""",
        tmp_path,
    )
    merge, json_patch = found.next(subject(a_pod())).acts
    assert codecs.load_json(merge.patch.body) == {"metadata": {"labels": {"a": "b"}, "uid": "1-2"}}
    assert (merge.patch.type, merge.subresource) == ("application/merge-patch+json", "")
    assert codecs.load_json(json_patch.patch.body) == [{"op": "add", "path": "/status/phase", "value": "Running"}]
    assert (json_patch.patch.type, json_patch.subresource) == ("application/json-patch+json", "status")


def test_steps_are_done_in_their_order_and_end_with_the_object(tmp_path: Path) -> None:
    steps = """  steps:
  - event: {reason: First, message: "{{ .metadata.name }}"}
  - patch: {template: "metadata: {labels: {a: b}}"}
  - event: {type: Warning, reason: Second}
  - delete: true
  - patch: {template: "metadata: {labels: {c: d}}"}
  - event: {reason: Third}
"""
    outcome = stage(steps, tmp_path).next(subject(a_pod()))
    assert [act.reason if isinstance(act, Tell) else type(act) for act in outcome.acts] == [
        "First", Amend, "Second", "Third",
    ]  # fmt: skip
    assert outcome.acts[0] == ("Normal", "First", "a")
    assert outcome.delete
    older = stage("  next: {delete: true, statusTemplate: 'phase: Failed', finalizers: {empty: true}}\n", tmp_path)
    outcome = older.next(subject(a_pod(finalizers=["x/y"])))
    assert (len(outcome.acts), outcome.delete) == (1, True)


@pytest.mark.parametrize(
    ("following", "fault"),
    [
        ('{statusTemplate: "phase: {{ .spec.nope.deeper }}"}',
         "template: s:1: nil pointer evaluating interface {}.deeper"),
        ('{statusTemplate: "phase: {{ index .spec.containers 3 }}"}',
         "template: s:1: error calling index: index out of range: 3"),
        ('{statusTemplate: "a: [{{ .metadata.name }}"}', "its template makes no YAML: "),
        ('{patches: [{template: "- 1"}]}', "its template makes [1], and no object"),
        ('{patches: [{template: "metadata: x"}]}', "its template makes 'x', and no object"),
        ('{patches: [{type: json, template: "a: b"}]}',
         "its template makes {'a': 'b'}, and no operations of a JSON patch"),
        ('{event: {reason: R, message: "{{ div 1 0 }}"}}', "template: s:1: error calling div: "),
    ],
)  # fmt: skip
def test_what_a_stage_cannot_make_of_an_object(following: str, fault: str, tmp_path: Path) -> None:
    found = stage(f"  next: {following}\n", tmp_path)
    with pytest.raises(StageFault) as caught:
        found.next(subject(a_pod()))
    assert str(caught.value).startswith(fault)
    assert "\n" not in str(caught.value).rstrip()


# In a cluster ---------------------------------------------------------------------------------------------------


async def test_pods_go_through_the_stages_of_a_file(client: Client) -> None:
    stages = stages_of(str(STAGES / "general.yaml"))
    clock = TurnableClock()
    async with simulating(client, NodeShape(), stages=stages, clock=clock):
        init = [Container(name="i", image="busybox"), Container(name="s", image="envoy", restart_policy="Always")]
        await client.create(pod("a", init_containers=init, termination_grace_period_seconds=1))
        running = (await eventually(reached(client, "a", "Running"))).status
        assert running.pod_ip == "240.0.0.2"
        assert running.host_ip == "241.0.0.2"
        assert {each.type: each.status for each in running.conditions} == {
            "Initialized": "True",
            "Ready": "True",
            "PodScheduled": "True",
        }
        assert [each.state.running is not None for each in running.init_container_statuses] == [False, True]
        job = pod("j", restart_policy="Never")
        job.metadata.owner_references = [OwnerReference(api_version="batch/v1", kind="Job", name="j", uid="1-2")]
        job.metadata.annotations = {"pod-complete.stage.kwok.x-k8s.io/delay": "1ms"}
        job.metadata.finalizers = ["kwok.x-k8s.io/fake"]
        await client.create(job)
        await eventually(reached(client, "j", "Succeeded"))
        for name in ("a", "j"):
            await client.delete(Pod, name, "default")

            async def goes(name: str = name) -> bool:
                await clock.advance(1)  # within its grace period it goes at some moment
                return await gone(client, name)()

            await eventually(goes)


async def test_nodes_go_through_the_stages_of_a_file(client: Client) -> None:
    async with simulating(client, stages=stages_of(str(STAGES / "node.yaml"))):
        await client.create(Node(metadata=ObjectMeta(name="n", annotations={"kwok.x-k8s.io/node": "fake"})))

        async def ready() -> Node | None:
            node = await client.get(Node, "n")
            return node if node.status.phase == "Running" else None

        status = (await eventually(ready)).status
        assert {each.type: each.status for each in status.conditions}["Ready"] == "True"
        assert status.allocatable["cpu"] == "1k"
        assert [each.type for each in status.addresses] == ["InternalIP", "Hostname"]
        assert status.node_info.kubelet_version.startswith("kwok-")


APPLYING = """apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: publish}
spec:
  resourceRef: {kind: Pod}
  selector:
    matchExpressions:
    - cel: {expression: "!('published' in self.metadata.labels)"}
    - cel: {expression: "has(self.status.podIP)"}
  steps:
  - apply:
      template: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: "{{ .metadata.name }}-says"}
        data: {address: "{{ .status.podIP }}"}
  - patch: {root: metadata, template: "labels: {published: yes-it-is}"}
"""


async def test_stages_apply_other_objects(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "publish.yaml"
    file.write_text(APPLYING)
    async with simulating(client, NodeShape(), stages=stages_of("fast", file)):
        await client.create(pod("a", labels={"published-by": "nobody"}))

        async def said() -> Pod | None:
            present = await client.get(Pod, "a", "default")
            return present if "published" in present.metadata.labels else None

        published = await eventually(said)
        assert (await client.get(ConfigMap, "a-says", "default")).data == {"address": published.status.pod_ip}


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{apiVersion: v1, kind: ConfigMap}", "its template makes an object without apiVersion, kind or name"),
        ("[]", "its template makes [], and no object"),
    ],
)
def test_what_cannot_be_applied(template: str, fault: str, tmp_path: Path) -> None:
    found = stage(f"  steps: [{{apply: {{template: '{template}'}}}}]\n", tmp_path)
    with pytest.raises(StageFault) as caught:
        found.next(subject(a_pod()))
    assert str(caught.value) == fault


OTHERS = """apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: bind}
spec:
  resourceRef: {apiGroup: v1, kind: PersistentVolumeClaim}
  selector:
    matchExpressions:
    - {key: .status.phase, operator: In, values: [Pending]}
    - expression: "self.spec.accessModes.exists(mode, mode == 'ReadWriteOnce')"
  next:
    event: {reason: Bound, message: "{{ .metadata.name }} is bound"}
    statusTemplate: "{phase: Bound, accessModes: {{ toJson .spec.accessModes }}}"
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: bind}
spec:
  resourceRef: {apiGroup: v1, kind: ConfigMap}
  selector: {matchLabels: {say: please}}
  delay: {durationMilliseconds: 60000}
  next: {patches: [{root: data, template: "said: thanks"}]}
"""


async def test_objects_of_other_kinds_go_through_stages(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "others.yaml"
    file.write_text(OTHERS)
    stages, clock = stages_of(file), TurnableClock()
    assert [each.name for each in stages if each.api_version == "v1" and each.kind in ("Pod", "Node")] == [
        each.name for each in stages_of("fast")
    ]
    claim = PersistentVolumeClaim(metadata=ObjectMeta(name="c", namespace="default"))
    claim.spec.access_modes = ["ReadWriteOnce"]
    claim.spec.resources = VolumeResourceRequirements(requests={"storage": "1Gi"})
    await client.create(claim)
    async with simulating(client, stages=stages, clock=clock):
        for name, labels in (("a", {"say": "please"}), ("b", {})):
            await client.create(ConfigMap(metadata=ObjectMeta(name=name, namespace="default", labels=labels)))

        async def bound() -> bool:
            return (await client.get(PersistentVolumeClaim, "c", "default")).status.phase == "Bound"

        async def said() -> bool:
            await clock.advance(10)
            return (await client.get(ConfigMap, "a", "default")).data == {"said": "thanks"}

        await eventually(bound)
        await eventually(said)
        assert (await client.get(ConfigMap, "b", "default")).data == {}

"""The official Python client."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from .processes import Server

kubernetes = pytest.importorskip("kubernetes")


@pytest.fixture(scope="module")
def connection(api_server: Server) -> Iterator[Any]:
    with kubernetes.config.new_client_from_config(str(api_server.kubeconfig)) as client:
        yield client


@pytest.fixture
def core(connection: Any) -> Any:
    return kubernetes.client.CoreV1Api(connection)


@pytest.fixture
def apps(connection: Any) -> Any:
    return kubernetes.client.AppsV1Api(connection)


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Any:
    return kubernetes.client.V1ConfigMap(
        metadata=kubernetes.client.V1ObjectMeta(name=name, labels=labels), data=data or None
    )


def deployment(name: str, replicas: int = 1) -> Any:
    k = kubernetes.client
    container = k.V1Container(name="main", image="example.invalid/x:1", env=[k.V1EnvVar(name="A", value="1")])
    template = k.V1PodTemplateSpec(
        metadata=k.V1ObjectMeta(labels={"app": name}), spec=k.V1PodSpec(containers=[container])
    )
    selector = k.V1LabelSelector(match_labels={"app": name})
    return k.V1Deployment(
        metadata=k.V1ObjectMeta(name=name),
        spec=k.V1DeploymentSpec(replicas=replicas, selector=selector, template=template),
    )


def test_create_read_replace_delete(core: Any, namespace: str) -> None:
    created = core.create_namespaced_config_map(namespace, config_map("c", a="1"))
    assert created.metadata.uid
    assert created.metadata.creation_timestamp.tzinfo is not None
    read = core.read_namespaced_config_map("c", namespace)
    assert read.to_dict() == created.to_dict()
    read.data["a"] = "2"
    replaced = core.replace_namespaced_config_map("c", namespace, read)
    assert replaced.data == {"a": "2"}
    with pytest.raises(kubernetes.client.ApiException) as conflict:
        core.replace_namespaced_config_map("c", namespace, created)
    assert (conflict.value.status, conflict.value.reason) == (409, "Conflict")
    assert core.delete_namespaced_config_map("c", namespace)["status"] == "Success"
    with pytest.raises(kubernetes.client.ApiException) as gone:
        core.read_namespaced_config_map("c", namespace)
    assert gone.value.status == 404


def test_watch_sees_every_change_in_order(core: Any, namespace: str) -> None:
    start = core.list_namespaced_config_map(namespace).metadata.resource_version
    seen: list[tuple[str, str, str | None]] = []

    def follow() -> None:
        watch = kubernetes.watch.Watch()
        stream = watch.stream(
            core.list_namespaced_config_map, namespace, resource_version=start, timeout_seconds=20, label_selector="w=1"
        )
        for event in stream:
            item = event["object"]
            seen.append((event["type"], item.metadata.name, (item.data or {}).get("n")))
            if event["type"] == "DELETED":
                watch.stop()

    thread = threading.Thread(target=follow)
    thread.start()
    core.create_namespaced_config_map(namespace, config_map("unlabelled"))
    core.create_namespaced_config_map(namespace, config_map("w", {"w": "1"}, n="0"))
    for number in range(1, 4):
        core.patch_namespaced_config_map("w", namespace, {"data": {"n": str(number)}})
    core.delete_namespaced_config_map("w", namespace)
    thread.join(25)
    assert seen == [
        ("ADDED", "w", "0"),
        ("MODIFIED", "w", "1"),
        ("MODIFIED", "w", "2"),
        ("MODIFIED", "w", "3"),
        ("DELETED", "w", "3"),
    ]


def test_label_taken_away_leaves_a_selecting_watch(core: Any, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("c", {"w": "1"}))
    seen = []
    watch = kubernetes.watch.Watch()
    for event in watch.stream(core.list_namespaced_config_map, namespace, timeout_seconds=10, label_selector="w=1"):
        seen.append(event["type"])
        if event["type"] == "ADDED":
            core.patch_namespaced_config_map("c", namespace, {"metadata": {"labels": {"w": None}}})
        else:
            watch.stop()
    assert seen == ["ADDED", "DELETED"]


def test_three_patches(connection: Any, apps: Any, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("d"))
    env = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}]}]}}}}

    def patch(body: Any, kind: str) -> Any:
        return apps.patch_namespaced_deployment("d", namespace, body, _content_type=kind)

    strategic = patch(env, "application/strategic-merge-patch+json").spec.template.spec.containers[0]
    assert strategic.image == "example.invalid/x:1"
    assert {item.name: item.value for item in strategic.env} == {"A": "1", "B": "2"}
    env["spec"]["template"]["spec"]["containers"][0]["image"] = "example.invalid/y:1"  # type: ignore[assignment]
    merged = patch(env, "application/merge-patch+json").spec.template.spec.containers[0]
    assert {item.name: item.value for item in merged.env} == {"B": "2"}
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert patch(operations, "application/json-patch+json").spec.replicas == 3


def test_scale_and_status_subresources(apps: Any, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("d", replicas=0))
    scale = apps.read_namespaced_deployment_scale("d", namespace)
    assert (scale.spec.replicas or 0, scale.status.selector) == (0, "app=d")
    scale.spec.replicas = 2
    scale.metadata.resource_version = None  # the controller writes the status meanwhile
    assert apps.replace_namespaced_deployment_scale("d", namespace, scale).spec.replicas == 2
    body = {"spec": {"replicas": 9}, "status": {"observedGeneration": 77}}
    apps.patch_namespaced_deployment_status("d", namespace, body)
    assert apps.read_namespaced_deployment("d", namespace).spec.replicas == 2


def test_list_with_selectors_and_pages(core: Any, namespace: str) -> None:
    for number in range(7):
        core.create_namespaced_config_map(
            namespace, config_map(f"c{number}", {"half": "odd" if number % 2 else "even"})
        )
    odd = core.list_namespaced_config_map(namespace, label_selector="half=odd")
    assert [item.metadata.name for item in odd.items] == ["c1", "c3", "c5"]
    assert odd.items[0].kind is None  # items of a list say neither kind nor version
    one = core.list_namespaced_config_map(namespace, field_selector="metadata.name=c4")
    assert [item.metadata.name for item in one.items] == ["c4"]
    names, token, versions = [], None, set()
    while True:
        page = core.list_namespaced_config_map(namespace, limit=3, _continue=token, label_selector="half")
        names += [item.metadata.name for item in page.items]
        versions.add(page.metadata.resource_version)
        if len(names) == 3:  # later writes are not seen by later pages
            core.create_namespaced_config_map(namespace, config_map("c9", {"half": "none"}))
        token = page.metadata.var_continue
        if not token:
            break
    assert names == [f"c{number}" for number in range(7)]
    assert len(versions) == 1


def test_delete_collection(core: Any, namespace: str) -> None:
    for number in range(3):
        metadata = kubernetes.client.V1ObjectMeta(name=f"s{number}", labels={"n": str(number)})
        core.create_namespaced_secret(namespace, kubernetes.client.V1Secret(metadata=metadata, string_data={"a": "b"}))
    assert core.read_namespaced_secret("s0", namespace).data == {"a": "Yg=="}
    core.delete_collection_namespaced_secret(namespace, label_selector="n!=1")
    assert [item.metadata.name for item in core.list_namespaced_secret(namespace).items] == ["s1"]


def test_generated_names_and_dry_run(core: Any, namespace: str) -> None:
    body = kubernetes.client.V1ConfigMap(metadata=kubernetes.client.V1ObjectMeta(generate_name="g-"))
    names = {core.create_namespaced_config_map(namespace, body).metadata.name for _ in range(3)}
    assert len(names) == 3
    assert {len(name) for name in names} == {len("g-") + 5}
    core.create_namespaced_config_map(namespace, config_map("dry"), dry_run="All")
    with pytest.raises(kubernetes.client.ApiException):
        core.read_namespaced_config_map("dry", namespace)


def test_finalizer_holds_an_object(core: Any, namespace: str) -> None:
    body = config_map("held")
    body.metadata.finalizers = ["example.org/hold"]
    core.create_namespaced_config_map(namespace, body)
    core.delete_namespaced_config_map("held", namespace)
    held = core.read_namespaced_config_map("held", namespace)
    assert held.metadata.deletion_timestamp is not None
    core.patch_namespaced_config_map("held", namespace, {"metadata": {"finalizers": None}})
    with pytest.raises(kubernetes.client.ApiException) as gone:
        core.read_namespaced_config_map("held", namespace)
    assert gone.value.status == 404


def test_dynamic_client(connection: Any, namespace: str) -> None:
    """It works from discovery alone."""
    from kubernetes.dynamic import DynamicClient

    dynamic = DynamicClient(connection)
    leases = dynamic.resources.get(api_version="coordination.k8s.io/v1", kind="Lease")
    leases.create(namespace=namespace, body={"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 5}})
    assert leases.get(name="l", namespace=namespace).spec.leaseDurationSeconds == 5

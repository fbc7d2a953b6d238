"""Controllers on the official Python client: definitions, custom objects, the dynamic client, watches."""

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from .processes import Server
from .waiting import until

kubernetes = pytest.importorskip("kubernetes")

_numbers = count(1)


@pytest.fixture(scope="module")
def connection(api_server: Server) -> Iterator[Any]:
    with kubernetes.config.new_client_from_config(str(api_server.kubeconfig)) as client:
        yield client


@pytest.fixture
def custom(connection: Any) -> Any:
    return kubernetes.client.CustomObjectsApi(connection)


@pytest.fixture
def group(connection: Any) -> Iterator[str]:
    """A group whose `gadgets` are served."""
    k = kubernetes.client
    name = f"official{next(_numbers)}.example.com"
    integer = k.V1JSONSchemaProps(type="integer", minimum=0)
    schema = k.V1JSONSchemaProps(
        type="object",
        properties={
            "spec": k.V1JSONSchemaProps(
                type="object",
                properties={"size": integer, "color": k.V1JSONSchemaProps(type="string", default="blue")},
            ),
            "status": k.V1JSONSchemaProps(type="object", properties={"size": integer}),
        },
    )
    wanted = k.V1CustomResourceDefinition(
        api_version="apiextensions.k8s.io/v1",
        kind="CustomResourceDefinition",
        metadata=k.V1ObjectMeta(name=f"gadgets.{name}"),
        spec=k.V1CustomResourceDefinitionSpec(
            group=name,
            scope="Namespaced",
            names=k.V1CustomResourceDefinitionNames(
                plural="gadgets", singular="gadget", kind="Gadget", short_names=[f"g{name.partition('.')[0][8:]}"]
            ),
            versions=[
                k.V1CustomResourceDefinitionVersion(
                    name="v1",
                    served=True,
                    storage=True,
                    schema=k.V1CustomResourceValidation(open_apiv3_schema=schema),
                    subresources=k.V1CustomResourceSubresources(
                        status={},
                        scale=k.V1CustomResourceSubresourceScale(
                            spec_replicas_path=".spec.size", status_replicas_path=".status.size"
                        ),
                    ),
                )
            ],
        ),
    )
    definitions = k.ApiextensionsV1Api(connection)
    definitions.create_custom_resource_definition(wanted)

    def established() -> bool:
        status = definitions.read_custom_resource_definition(f"gadgets.{name}").status
        return {"Established": "True"}.items() <= {each.type: each.status for each in status.conditions or []}.items()

    until(established, "gadgets are established")
    yield name
    definitions.delete_custom_resource_definition(f"gadgets.{name}")


def gadget(group: str, name: str = "a", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": name}, "spec": spec}


def test_custom_objects(custom: Any, group: str, namespace: str) -> None:
    where = (group, "v1", namespace, "gadgets")
    made = custom.create_namespaced_custom_object(*where, gadget(group, size=1))
    assert made["spec"] == {"size": 1, "color": "blue"}
    assert custom.get_namespaced_custom_object(*where, "a") == made
    changed = custom.patch_namespaced_custom_object(*where, "a", {"spec": {"size": 2}, "status": {"size": 9}})
    assert changed["spec"]["size"] == 2
    assert "status" not in changed
    operations = [{"op": "replace", "path": "/spec/color", "value": "red"}]
    kind = "application/json-patch+json"
    changed = custom.patch_namespaced_custom_object(*where, "a", operations, _content_type=kind)
    assert changed["spec"]["color"] == "red"
    custom.patch_namespaced_custom_object_status(*where, "a", {"status": {"size": 2}})
    scale = custom.get_namespaced_custom_object_scale(*where, "a")
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["replicas"]) == ("Scale", 2, 2)
    scale["spec"]["replicas"] = 3
    custom.replace_namespaced_custom_object_scale(*where, "a", scale)
    now = custom.get_namespaced_custom_object(*where, "a")
    assert (now["spec"]["size"], now["metadata"]["generation"]) == (3, 4)
    with pytest.raises(kubernetes.client.ApiException) as conflict:
        custom.replace_namespaced_custom_object(*where, "a", made)
    assert conflict.value.status == 409
    with pytest.raises(kubernetes.client.ApiException) as invalid:
        custom.create_namespaced_custom_object(*where, gadget(group, "b", size=-1))
    assert invalid.value.status == 422
    assert "spec.size in body should be greater than or equal to 0" in invalid.value.body
    everywhere = custom.list_cluster_custom_object(
        group, "v1", "gadgets", field_selector=f"metadata.namespace={namespace}"
    )
    assert [each["metadata"]["name"] for each in everywhere["items"]] == ["a"]
    deleted = custom.delete_collection_namespaced_custom_object(*where)["items"]
    assert [each["metadata"]["name"] for each in deleted] == ["a"]
    with pytest.raises(kubernetes.client.ApiException) as gone:
        custom.get_namespaced_custom_object(*where, "a")
    assert gone.value.status == 404


def test_dynamic_client(connection: Any, group: str, namespace: str) -> None:
    from kubernetes.dynamic import DynamicClient
    from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

    dynamic = DynamicClient(connection)
    gadgets = dynamic.resources.get(api_version=f"{group}/v1", kind="Gadget")
    assert {"gadgets/status", "gadgets/scale"} <= {f"gadgets/{name}" for name in gadgets.subresources}

    def apply(manager: str, force: bool = False, **spec: Any) -> Any:
        body = gadget(group, **spec)
        return gadgets.server_side_apply(body=body, namespace=namespace, field_manager=manager, force_conflicts=force)

    assert apply("one", size=1).spec.color == "blue"
    with pytest.raises(ConflictError):
        apply("two", size=2)
    assert apply("two", force=True, size=2).spec.size == 2
    status = {"metadata": {"name": "a"}, "status": {"size": 2}}
    gadgets.status.patch(body=status, namespace=namespace, content_type="application/merge-patch+json")
    version = gadgets.get(namespace=namespace).metadata.resourceVersion
    seen = []
    gadgets.patch(body=gadget(group, size=5), namespace=namespace, content_type="application/merge-patch+json")
    gadgets.delete(name="a", namespace=namespace)
    for event in gadgets.watch(namespace=namespace, resource_version=version, timeout=10):
        seen.append((event["type"], event["object"].spec.size, event["object"].status.size))
        if event["type"] == "DELETED":
            break
    assert seen == [("MODIFIED", 5, 2), ("DELETED", 5, 2)]
    with pytest.raises(NotFoundError):
        gadgets.get(name="a", namespace=namespace)


def test_a_control_loop_with_watches_and_versions(connection: Any, custom: Any, group: str, namespace: str) -> None:
    """List, watch from there, write the status with the version that was seen: again where somebody was faster."""
    where = (group, "v1", namespace, "gadgets")

    def reconcile(name: str) -> bool:
        """Whether there was nothing in the way."""
        try:
            present = custom.get_namespaced_custom_object(*where, name)
            if present.get("status", {}).get("size") != present["spec"]["size"]:
                present["status"] = {"size": present["spec"]["size"]}
                custom.replace_namespaced_custom_object_status(*where, name, present)
        except kubernetes.client.ApiException as error:
            if error.status == 409:
                return False
            if error.status != 404:
                raise
        return True

    def control() -> None:
        start = custom.list_namespaced_custom_object(*where)
        watch = kubernetes.watch.Watch()
        for event in watch.stream(
            custom.list_namespaced_custom_object,
            *where,
            resource_version=start["metadata"]["resourceVersion"],
            timeout_seconds=20,
        ):
            if event["type"] == "DELETED":
                watch.stop()
            while not reconcile(event["object"]["metadata"]["name"]):
                pass

    thread = threading.Thread(target=control)
    thread.start()
    try:
        for number in range(5):
            custom.create_namespaced_custom_object(*where, gadget(group, f"g{number}", size=0))
        for size in range(1, 20):
            for number in range(5):
                custom.patch_namespaced_custom_object(*where, f"g{number}", {"spec": {"size": size}})

        def done() -> bool:
            items = custom.list_namespaced_custom_object(*where)["items"]
            return [each.get("status", {}).get("size") for each in items] == [19] * 5

        until(done, "every status says what is wanted")
    finally:
        custom.delete_namespaced_custom_object(*where, "g0")
        thread.join(25)
    assert not thread.is_alive()

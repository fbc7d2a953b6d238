"""What programs on the official Python client do all day: informers, leader election, manifests, applying, reviews."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .processes import Server
from .waiting import until

kubernetes = pytest.importorskip("kubernetes")


@pytest.fixture(scope="module")
def connection(api_server: Server) -> Iterator[Any]:
    with kubernetes.config.new_client_from_config(str(api_server.kubeconfig)) as client:
        yield client


@pytest.fixture
def core(connection: Any) -> Any:
    return kubernetes.client.CoreV1Api(connection)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_informer_follows_a_namespace(core: Any, namespace: str) -> None:
    from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer

    core.create_namespaced_config_map(namespace, config_map("before", a="1"))
    informer = SharedInformer(core.list_namespaced_config_map, namespace=namespace)
    seen: list[tuple[str, str]] = []
    for kind in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(kind, lambda obj, kind=kind: seen.append((kind, obj.metadata.name)))
    informer.start()
    try:
        until(lambda: (ADDED, "before") in seen, "what was there is told")
        core.create_namespaced_config_map(namespace, config_map("after", a="1"))
        core.patch_namespaced_config_map("after", namespace, {"data": {"a": "2"}})
        core.delete_namespaced_config_map("before", namespace)
        until(lambda: (DELETED, "before") in seen, "every change is told")
        assert [each for each in seen if each[1] == "after"] == [(ADDED, "after"), (MODIFIED, "after")]
        kept = {obj.metadata.name: obj.data for obj in informer.cache.list()}
        assert kept.get("after") == {"a": "2"}
        assert "before" not in kept
    finally:
        informer.stop()


CANDIDATE = """
import sys
import kubernetes
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

kubeconfig, namespace, name = sys.argv[1:]
kubernetes.config.load_kube_config(kubeconfig)
config = electionconfig.Config(
    LeaseLock("lock", namespace, name), lease_duration=3, renew_deadline=2, retry_period=1.1,
    onstarted_leading=lambda: print("leads", flush=True), onstopped_leading=lambda: None)
leaderelection.LeaderElection(config).run()
"""


def test_leader_election_hands_over(connection: Any, api_server: Server, namespace: str) -> None:
    """Two candidates on one Lease: one leads; when it is killed, the other does."""
    leases = kubernetes.client.CoordinationV1Api(connection)

    def stand(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CANDIDATE, str(api_server.kubeconfig), namespace, name]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    with stand("one") as one:
        assert one.stdout is not None
        try:
            assert one.stdout.readline() == "leads\n"
            with stand("two") as two:
                assert two.stdout is not None
                try:
                    assert leases.read_namespaced_lease("lock", namespace).spec.holder_identity == "one"
                    one.kill()
                    assert two.stdout.readline() == "leads\n"
                    assert leases.read_namespaced_lease("lock", namespace).spec.holder_identity == "two"
                finally:
                    two.kill()
        finally:
            one.kill()


def test_manifests_of_many_kinds(connection: Any, namespace: str, tmp_path: Path) -> None:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "x.invalid/a"}]},
    }
    documents = [
        config_map("settings", a="1"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
         "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
         "spec": {"serviceName": "web", "selector": {"matchLabels": {"app": "web"}}, "template": template}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
         "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {
             "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x.invalid/a"}]}}}}}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "none"},
         "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}},
    ]  # fmt: skip
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(map(yaml.safe_dump, documents)))
    made = kubernetes.utils.create_from_yaml(connection, str(file), namespace=namespace)
    assert [each[0].kind for each in made] == [document["kind"] for document in documents]
    with pytest.raises(kubernetes.utils.FailToCreateError) as again:
        kubernetes.utils.create_from_yaml(connection, str(file), namespace=namespace)
    assert {error.status for error in again.value.api_exceptions} == {409}


def test_reviews(connection: Any, namespace: str) -> None:
    k = kubernetes.client
    authorization = k.AuthorizationV1Api(connection)
    ask = k.V1ResourceAttributes(verb="delete", resource="pods", namespace=namespace)
    mine = authorization.create_self_subject_access_review(
        k.V1SelfSubjectAccessReview(spec=k.V1SelfSubjectAccessReviewSpec(resource_attributes=ask))
    )
    assert mine.status.allowed
    hers = authorization.create_subject_access_review(
        k.V1SubjectAccessReview(spec=k.V1SubjectAccessReviewSpec(user="jane", resource_attributes=ask))
    )
    assert not hers.status.allowed
    me = k.AuthenticationV1Api(connection).create_self_subject_review(k.V1SelfSubjectReview())
    assert me.status.user_info.username == "kubernetes-admin"


def test_token_is_accepted_and_dies_with_its_account(connection: Any, core: Any, namespace: str) -> None:
    k = kubernetes.client
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    request = k.AuthenticationV1TokenRequest(spec=k.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("robot", namespace, request).status.token
    authentication = k.AuthenticationV1Api(connection)
    review = k.V1TokenReview(spec=k.V1TokenReviewSpec(token=token))
    said = authentication.create_token_review(review).status
    assert said.authenticated
    assert said.user.username == f"system:serviceaccount:{namespace}:robot"
    core.delete_namespaced_service_account("robot", namespace)
    until(lambda: not authentication.create_token_review(review).status.authenticated, "the token dies")


def test_eviction_respects_a_budget(connection: Any, core: Any, namespace: str) -> None:
    k = kubernetes.client
    pod = k.V1Pod(
        metadata=k.V1ObjectMeta(name="pod", labels={"app": "web"}),
        spec=k.V1PodSpec(containers=[k.V1Container(name="main", image="x.invalid/a")], node_name="nowhere"),
    )
    core.create_namespaced_pod(namespace, pod)
    core.patch_namespaced_pod_status(
        "pod", namespace, {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    )
    policy = k.PolicyV1Api(connection)
    budget = k.V1PodDisruptionBudget(
        metadata=k.V1ObjectMeta(name="web"),
        spec=k.V1PodDisruptionBudgetSpec(min_available=1, selector=k.V1LabelSelector(match_labels={"app": "web"})),
    )
    policy.create_namespaced_pod_disruption_budget(namespace, budget)
    eviction = k.V1Eviction(metadata=k.V1ObjectMeta(name="pod"))
    with pytest.raises(k.ApiException) as refused:
        core.create_namespaced_pod_eviction("pod", namespace, eviction)
    assert refused.value.status == 429
    status = {"observedGeneration": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}
    policy.patch_namespaced_pod_disruption_budget_status(
        "web", namespace, {"status": {**status, "disruptionsAllowed": 1}}
    )
    core.create_namespaced_pod_eviction("pod", namespace, eviction)
    assert core.read_namespaced_pod("pod", namespace).metadata.deletion_timestamp is not None


def test_applying_from_the_server_side(connection: Any, core: Any, namespace: str) -> None:
    from kubernetes.dynamic import DynamicClient
    from kubernetes.dynamic.exceptions import ConflictError

    maps = DynamicClient(connection).resources.get(api_version="v1", kind="ConfigMap")

    def apply(manager: str, force: bool = False, **data: str) -> Any:
        return maps.server_side_apply(
            body=config_map("shared", **data), namespace=namespace, field_manager=manager, force_conflicts=force
        )

    apply("alice", a="1", b="1")
    apply("bob", c="1")
    with pytest.raises(ConflictError) as conflict:
        apply("bob", a="2", c="1")
    assert "conflict with" in str(conflict.value.body)
    apply("bob", force=True, a="2", c="1")
    apply("alice", b="1")
    assert core.read_namespaced_config_map("shared", namespace).data == {"a": "2", "b": "1", "c": "1"}
    apply("bob", c="1")
    assert core.read_namespaced_config_map("shared", namespace).data == {"b": "1", "c": "1"}


def test_asynchronous_client(api_server: Server, namespace: str) -> None:
    from kubernetes import aio

    async def work() -> list[tuple[str, str]]:
        configuration = aio.client.Configuration()
        await aio.config.load_kube_config(str(api_server.kubeconfig), client_configuration=configuration)
        seen = []
        async with aio.client.ApiClient(configuration) as client:
            core = aio.client.CoreV1Api(client)
            version = (await core.list_namespaced_config_map(namespace)).metadata.resource_version
            await asyncio.gather(
                *(core.create_namespaced_config_map(namespace, config_map(f"m{n}", a="1")) for n in range(20))
            )
            async with aio.watch.Watch().stream(
                core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=10
            ) as stream:
                async for event in stream:
                    seen.append((event["type"], event["object"].metadata.name))
                    if len(seen) == 20:
                        return seen
        return seen

    assert sorted(asyncio.run(work())) == sorted(("ADDED", f"m{n}") for n in range(20))

"""Who asks for the access of somebody has it, once for all who ask for the same, and a run of many tests keeps none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from steersman.api.scheme import Resource, Scheme
from steersman.api.types.core_v1 import ConfigMap, Namespace
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import unstructured_type
from steersman.client import StatusError
from steersman.testing import Cluster
from steersman.testing.access import lent
from steersman.testing.open_scheme import OpenScheme
from steersman.testing.thread import StoppedError

pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
        yield cluster


def files(cluster: Cluster) -> set[str]:
    return {each.name for each in cluster.kubeconfig_path.parent.glob("*.conf")}


def clients(cluster: Cluster) -> int:
    return len(cluster.life.composition._clients)


def test_who_asks_again_has_the_same(cluster: Cluster) -> None:
    with lent(cluster):
        jane, again, other = (cluster.as_user("jane", groups) for groups in (["a"], ["a"], ["b"]))
        assert jane.client._inner is again.client._inner
        assert jane.kubeconfig_path == again.kubeconfig_path
        assert jane.client._inner is not other.client._inner
        there = cluster.in_namespace("there").as_user("jane", ["a"])
        assert there.client._inner is jane.client._inner
        for name in ("default", "kube-system"):  # which acts as an administrator past HTTPS, as all of them do
            assert cluster.in_namespace(name)._inner._client is cluster._inner._client
        assert there.kubeconfig["contexts"][0]["context"]["namespace"] == "there"
        assert there.kubeconfig["users"] == jane.kubeconfig["users"]
        assert cluster.in_namespace("there").client._inner is cluster.client._inner


def test_nobody_changes_the_kubeconfig_of_others(cluster: Cluster) -> None:
    cluster.kubeconfig["clusters"].clear()
    assert cluster.kubeconfig["clusters"]


def test_what_a_test_asked_for_goes_with_it(cluster: Cluster) -> None:
    cluster.as_user("stays").client.raw("/version")
    before, number = files(cluster), clients(cluster)
    with lent(cluster):
        jane, stays, there = cluster.as_user("jane"), cluster.as_user("stays"), cluster.in_namespace("there")
        for access in (jane, stays, there):
            access.client.raw("/version")
        gone = (jane.kubeconfig_path, there.kubeconfig_path)
        assert all(path.exists() for path in gone)
        assert clients(cluster) == number + 1
        inner = jane.client._inner
    assert files(cluster) == before
    assert not any(path.exists() for path in gone)
    assert inner._session is None
    assert stays.client._inner._session is not None
    with lent(cluster):
        assert cluster.as_user("jane").client._inner is not inner
        with pytest.raises(StatusError, match='User "jane" cannot list'):
            cluster.as_user("jane").client.list(Namespace)


def test_the_fixture_lets_go_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
    import pytest
    from steersman.testing import Cluster

    @pytest.fixture(scope="session")
    def kubernetes_cluster():
        with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
            yield cluster

    @pytest.mark.parametrize("number", range(3))
    def test_it(kubernetes_cluster, kubernetes, number):
        for access in (kubernetes.as_user(f"user-{number}"), kubernetes.as_user("jane"), kubernetes):
            access.client.raw("/version")
            assert access.kubeconfig_path.exists()
        assert len(kubernetes_cluster.life.composition._clients) == 3
        names = {each.name for each in kubernetes_cluster.kubeconfig_path.parent.glob("*.conf")}
        assert len(names) == (4 if kubernetes.namespace != "default" else 3)
    """)
    for isolation in ("snapshot", "namespace"):
        options = ("-p", "steersman.testing.plugin", "-p", "no:asyncio", f"--kubernetes-isolation={isolation}")
        pytester.runpytest_inprocess(*options).assert_outcomes(passed=3)


def test_who_was_let_go_of_and_comes_back_leaves_nothing(leaves_nothing: None) -> None:
    with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
        with lent(cluster):
            jane = cluster.as_user("jane", ["system:masters"])
        made = jane.client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="default")))
        assert made.metadata.name == "a"


def test_the_administrators_file_is_his() -> None:
    with Cluster(controllers=(), scheduler=False, nodes=0) as other:
        assert other.as_user("jane").kubeconfig_path.name != "admin.conf"
        assert other.kubeconfig_path.name == "admin.conf"


def test_users_that_there_cannot_be(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="a user has a name"):
        cluster.as_user("")
    with pytest.raises(TypeError, match=r"such as \['viewers'\]"):
        cluster.as_user("jane", groups="viewers")


def test_clients_ask_by_type(cluster: Cluster) -> None:
    with pytest.raises(TypeError, match="'pods' is no type of objects, such as Pod"):
        cluster.client.list("pods")
    with pytest.raises(TypeError, match="<class 'dict'> is no type of objects"):
        cluster.client.create({"kind": "ConfigMap"})


def test_a_view_of_a_namespace_goes_with_the_cluster() -> None:
    with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
        view = cluster.in_namespace("kube-system")
        for end in (view.stop, view.start):
            with pytest.raises(RuntimeError):
                end()
        assert view.runs
        assert cluster.runs
        awaited = cluster.awaitable
    assert not view.runs
    assert not awaited.runs
    for ask in (lambda: view.client, lambda: awaited.client, lambda: cluster.in_namespace("a")):
        with pytest.raises(StoppedError):
            ask()


def test_a_client_keeps_nothing_of_definitions_that_went() -> None:
    served = Scheme(())
    scheme = OpenScheme(lambda: served)
    for _ in range(2):
        type_ = unstructured_type("Widget", "example.com/v1")
        resource = Resource("example.com", "v1", "widgets", "Widget", type_=type_)
        served.add(resource)
        assert scheme.for_type(type_) is resource
        served.remove(resource)
        with pytest.raises(KeyError):
            scheme.for_type(type_)

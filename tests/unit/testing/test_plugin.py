"""The fixtures, options and reports that the package brings to pytest."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

OPERATOR = """
from steersman.api.types.core_v1 import ConfigMap
from steersman.client import ObjectMeta

def names(cluster):
    return {each.metadata.name for each in cluster.client.list(ConfigMap, cluster.namespace).items}

def create(cluster, name):
    return cluster.client.create(ConfigMap(metadata=ObjectMeta(name=name, namespace=cluster.namespace)))
"""


def run(pytester: pytest.Pytester, tests: str, *options: str, ini: str = "") -> pytest.RunResult:
    pytester.makepyfile(test_it=OPERATOR + textwrap.dedent(tests))
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n" + ini)
    return pytester.runpytest_inprocess("-p", "steersman.testing.plugin", *options)


@pytest.mark.parametrize("isolation", ["snapshot", "namespace"])
def test_no_test_sees_what_another_did(pytester: pytest.Pytester, isolation: str) -> None:
    tests = """
    import pytest

    @pytest.mark.parametrize("number", range(3))
    def test_blocking(kubernetes, number):
        assert "a" not in names(kubernetes)
        create(kubernetes, "a")

    async def test_awaited(kubernetes, async_kubernetes):
        assert "a" not in names(kubernetes)
        await async_kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
        found = await async_kubernetes.client.get(ConfigMap, "a", async_kubernetes.namespace)
        assert found.metadata.name == "a"

    def test_afterwards(kubernetes):
        assert "a" not in names(kubernetes)
    """
    run(pytester, tests, f"--kubernetes-isolation={isolation}").assert_outcomes(passed=5)


def test_without_isolation_tests_build_upon_each_other(pytester: pytest.Pytester) -> None:
    tests = """
    def test_one(kubernetes):
        create(kubernetes, "a")

    def test_two(kubernetes):
        assert "a" in names(kubernetes)
    """
    run(pytester, tests, ini="kubernetes_isolation = none\n").assert_outcomes(passed=2)


def test_the_project_says_what_the_cluster_is_made_of(pytester: pytest.Pytester) -> None:
    (pytester.path / "manifests").mkdir()
    (pytester.path / "manifests" / "settings.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
    )
    tests = """
    from steersman.api.types.core_v1 import Node, ServiceAccount

    def test_it(kubernetes):
        assert "settings" in names(kubernetes)
        assert len(kubernetes.client.list(Node).items) == 3
        kubernetes.create_namespace("empty")
        assert kubernetes.client.list(ServiceAccount, "empty").items == []
    """
    ini = "kubernetes_apply = manifests\nkubernetes_nodes = 5\nkubernetes_controllers = namespace-controller\n"
    run(pytester, tests, "--kubernetes-nodes=3", ini=ini).assert_outcomes(passed=1)


def test_a_project_makes_its_own_cluster(pytester: pytest.Pytester) -> None:
    tests = """
    import pytest
    from steersman.testing import Cluster

    @pytest.fixture(scope="session")
    def kubernetes_cluster():
        with Cluster(controllers=(), scheduler=False, nodes=0) as cluster:
            create(cluster, "mine")
            yield cluster

    def test_it(kubernetes):
        assert names(kubernetes) == {"mine"}
    """
    run(pytester, tests).assert_outcomes(passed=1)


def test_a_failure_comes_with_events_and_requests(pytester: pytest.Pytester) -> None:
    tests = """
    POD = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "large"},
        "spec": {"containers": [{"name": "main", "image": "a", "resources": {"requests": {"cpu": "1000"}}}]},
    }

    def test_it(kubernetes):
        create(kubernetes, "a")
        kubernetes.apply(POD)
        kubernetes.wait_for("pod/large", condition="PodScheduled=False")
        kubernetes.settle()
        assert "b" in names(kubernetes)

    def test_without_a_cluster():
        assert False
    """
    result = run(pytester, tests)
    result.assert_outcomes(failed=2)
    result.stdout.re_match_lines(
        [
            ".*Kubernetes events.*",
            r"Warning +FailedScheduling +pod default/large: 0/1 nodes are available: .*Insufficient cpu.*",
            ".*Kubernetes requests.*",
            r"201 .* ms  create +configmaps default/a  by kubernetes-admin \(steersman\)",
            r"200 .* ms  list +configmaps default  by kubernetes-admin \(steersman\)",
        ]
    )
    assert result.stdout.str().count("Kubernetes requests") == 1


def test_a_cluster_waits_for_who_looks_at_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it=OPERATOR
        + textwrap.dedent("""
    def test_it(kubernetes):
        create(kubernetes, "a")
        assert False

    def test_after_it(kubernetes):
        assert names(kubernetes) == {"kube-root-ca.crt"}
    """)
    )
    command = [sys.executable, "-m", "pytest", "-p", "steersman.testing.plugin", "--kubernetes-keep-on-failure"]
    result = pytester.run(*command, stdin=b"\n")
    result.assert_outcomes(passed=1, failed=1)
    result.stderr.fnmatch_lines(["*test_it.py::test_it failed, and waits*", "*export KUBECONFIG=*admin.conf"])


def test_an_isolation_that_is_none_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_it(kubernetes): pass", ini="kubernetes_isolation = some\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*kubernetes_isolation is 'some', not one of snapshot, namespace, none*"])


def test_workers_have_a_cluster_each(pytester: pytest.Pytester) -> None:
    tests = """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_it(kubernetes, number):
        create(kubernetes, "a")
    """
    run(pytester, tests, "-n", "2").assert_outcomes(passed=4)


def test_who_uses_none_of_it_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("import sys\ndef test_it(): assert 'steersman.api' not in sys.modules\n")
    command = [sys.executable, "-m", "pytest", "-p", "steersman.testing.plugin", "-p", "no:cacheprovider", "-q"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout

"""The fixtures, options and reports that the package brings to pytest."""

import re
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

    def test_what_the_failure_says_itself(kubernetes):
        kubernetes.apply(POD)
        kubernetes.wait_for("pod/large", condition="PodScheduled=False")
        kubernetes.settle()
        kubernetes.wait_for("pod/large", condition="Ready", timeout=0.01)

    def test_without_a_cluster():
        assert False
    """
    result = run(pytester, tests)
    result.assert_outcomes(failed=3)
    result.stdout.re_match_lines(
        [
            ".*Kubernetes events.*",
            r"Warning +FailedScheduling +pod default/large: 0/1 nodes are available: .*Insufficient cpu.*",
            ".*Kubernetes requests.*",
            r"201 .* ms  create +configmaps default/a  by kubernetes-admin \(steersman\)",
            r"200 .* ms  list +configmaps default  by kubernetes-admin \(steersman\)",
        ]
    )
    assert result.stdout.str().count("Kubernetes events") == 1
    assert result.stdout.str().count("Kubernetes requests") == 1


def test_a_cluster_waits_for_who_looks_at_it(pytester: pytest.Pytester) -> None:
    tests = """
    def test_it(kubernetes):
        create(kubernetes, "a")
        assert False

    def test_after_it(kubernetes):
        assert names(kubernetes) == {"kube-root-ca.crt"}
    """
    pytester.makepyfile(test_it=OPERATOR + textwrap.dedent(tests))
    command = [sys.executable, "-m", "pytest", "-p", "steersman.testing.plugin", "--kubernetes-keep-on-failure"]
    result = pytester.run(*command, "--kubernetes-nodes=0", stdin=b"\n")
    result.assert_outcomes(passed=1, failed=1)
    result.stderr.fnmatch_lines(["*test_it.py::test_it failed, and waits*", "*export KUBECONFIG=*admin.conf"])


def test_what_was_asked_in_fixtures_and_faults_that_hit_nobody_are_told(pytester: pytest.Pytester) -> None:
    tests = """
    import pytest

    @pytest.fixture
    def made(kubernetes):
        create(kubernetes, "in-fixture")

    def test_before(kubernetes):
        kubernetes.faults.error(404, resource="nodes")

    def test_it(kubernetes, made):
        kubernetes.faults.error(503, verb="delete", resource="pods")
        with kubernetes.faults.delay(0.001, verb="create"):
            create(kubernetes, "in-test")
        assert False
    """
    result = run(pytester, tests)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines_random(
        [
            r"nobody hit by error 503 of verb='delete', resource='pods'  \(inside=True: also components .*",
            "1 hit      by delay 0.001 s of verb='create'",
            "201 .* create +configmaps default/in-fixture  by kubernetes-admin .*",
            "201 .* create +configmaps default/in-test  by kubernetes-admin .*",
        ]
    )
    result.stdout.no_fnmatch_line("*error 404*")


def test_a_failure_shows_the_tests_own_lines(pytester: pytest.Pytester) -> None:
    tests = """
    def test_blocking(kubernetes):
        kubernetes.wait_for("pod/a", timeout=0.01)

    async def test_awaited(async_kubernetes):
        await async_kubernetes.wait_for("pod/a", timeout=0.01)

    def test_refused(kubernetes):
        kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "A"}})

    def test_not_found(kubernetes):
        kubernetes.client.get(ConfigMap, "a", "default")

    def test_no_file(kubernetes):
        kubernetes.apply("nothing.yaml")

    def test_of_ones_own(kubernetes):
        def is_good(obj):
            return obj.goodness

        kubernetes.wait_for("namespace/default", is_good)

    def test_no_verb(kubernetes):
        kubernetes.faults.error(verb="crate")

    def test_no_rest(kubernetes):
        spec = {"containers": [{"name": "a", "image": "a"}]}
        kubernetes.faults.delay(0.2, inside=True)
        kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})
        kubernetes.settle(timeout=0)

    def test_no_snapshot_any_more(kubernetes):
        with kubernetes.snapshot() as snapshot:
            snapshot.release()

    def test_watched(kubernetes):
        for event in kubernetes.client.watch(ConfigMap, "default", resource_version="x"):
            pass
    """
    result = run(pytester, tests)
    result.assert_outcomes(failed=10)
    places = [line for line in result.stdout.lines if re.match(r"\S+\.py:\d+: ", line)]
    assert len(places) == 11  # of one's own has two
    assert [line for line in places if not line.startswith("test_it.py:")] == []
    result.stdout.fnmatch_lines([">*return obj.goodness", "E*'Namespace' object has no attribute 'goodness'"])


@pytest.mark.parametrize(
    ("ini", "option", "said"),
    [
        ("kubernetes_isolation = some", "", "kubernetes_isolation is 'some', not one of snapshot, namespace, none"),
        ("kubernetes_nodes = many", "", "kubernetes_nodes is 'many', no number of nodes"),
        ("", "--kubernetes-nodes=-1", "kubernetes_nodes is '-1', no number of nodes"),
        ("kubernetes_apply = no.yaml", "", "kubernetes_apply: there is no *no.yaml"),
        ("kubernetes_controllers = * -deployment", "", "kubernetes_controllers: there is no -deployment, but *"),
        ("", "--kubernetes-controllers=job", "kubernetes_controllers: there is no job, but *"),
        ("", "-n2 --kubernetes-keep-on-failure", "--kubernetes-keep-on-failure waits for Enter, *: leave -n out"),
    ],
)
def test_an_option_that_cannot_be_is_told_once(pytester: pytest.Pytester, ini: str, option: str, said: str) -> None:
    result = run(pytester, "def test_it(kubernetes): pass", *option.split(), ini=f"{ini}\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


def test_manifests_that_are_refused_are_told_without_ado(pytester: pytest.Pytester) -> None:
    (pytester.path / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n")
    result = run(pytester, "def test_it(kubernetes): pass", ini="kubernetes_apply = map.yaml\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_it*", 'kubernetes_apply: ConfigMap "A" is invalid: *'], consecutive=True
    )


def test_the_package_is_imported_as_it_is_where_it_is_installed_as_others_are(pytester: pytest.Pytester) -> None:
    marked = """
    import importlib

    def pytest_configure(config):
        config.pluginmanager.rewrite_hook.mark_rewrite("steersman.planning", "helper")

    def pytest_collection_finish(session):
        for name in ["steersman.planning.faults", "helper"]:
            print(name, type(importlib.import_module(name).__loader__).__name__)
    """
    pytester.makepyfile(conftest=textwrap.dedent(marked), helper="")
    result = pytester.run(sys.executable, "-m", "pytest", "-s", "-p", "steersman.testing.plugin", "--collect-only")
    result.stdout.fnmatch_lines(["steersman.planning.faults SourceFileLoader", "helper AssertionRewritingHook"])


def test_workers_have_a_cluster_each(pytester: pytest.Pytester) -> None:
    tests = """
    from pathlib import Path

    def test_it(kubernetes, worker_id):
        create(kubernetes, "a")
        Path(f"server-{worker_id}").write_text(kubernetes.config.server)
    """
    run(pytester, tests, "--dist=each", "--tx=2*popen").assert_outcomes(passed=2)
    assert len({each.read_text() for each in pytester.path.glob("**/server-*")}) == 2


def test_who_uses_none_of_it_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("import sys\ndef test_it(): assert 'steersman.api' not in sys.modules\n")
    command = [sys.executable, "-m", "pytest", "-p", "steersman.testing.plugin", "-p", "no:cacheprovider", "-q"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout

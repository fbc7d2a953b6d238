"""pytest's fixtures, options and reports; an entry point of the package loads this module.

Every test run imports it, most of them in vain: it imports nothing that pytest has not imported itself.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .cluster import AsyncCluster, Cluster


ISOLATIONS = ("snapshot", "namespace", "none")
BEGUN = pytest.StashKey[float]()
"""When the setup of a test began, its fixtures included, in seconds since the epoch."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line's options, and what a project sets for good; the command line counts."""
    group = parser.getgroup("kubernetes", "clusters inside tests (steersman)")
    group.addoption(
        "--kubernetes-controllers",
        metavar="NAMES",
        help="Kubernetes's controllers to run, separated by commas: * for all, -NAME for not that one; default: *",
    )
    group.addoption("--kubernetes-nodes", metavar="N", type=int, help="simulated nodes; default: 1")
    group.addoption(
        "--kubernetes-isolation",
        choices=ISOLATIONS,
        help="what becomes of what a test did with the fixture 'kubernetes': the cluster is restored to what it was "
        "(snapshot, the default), or tests work in a namespace of their own (namespace)",
    )
    group.addoption(
        "--kubernetes-keep-on-failure",
        action="store_true",
        help="when a test with a cluster fails, leave the cluster as it is, and wait for Enter",
    )
    parser.addini("kubernetes_controllers", "see --kubernetes-controllers", type="args", default=["*"])
    parser.addini("kubernetes_nodes", "see --kubernetes-nodes", default="1")
    parser.addini("kubernetes_isolation", "see --kubernetes-isolation", default="snapshot")
    parser.addini("kubernetes_apply", "manifests, files or directories, that the cluster begins with", type="paths")


class _AsTheyAre:
    """Finds this package's modules before pytest does, which rewrites the assertions of whoever brings a plugin.

    There are none to rewrite, and where pytest may not keep what it compiles the import takes four times as long.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Where it is, if it is one of this package."""
        return PathFinder.find_spec(name, path) if name.startswith("steersman.") else None


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Have the package imported as it is from now on; nobody can have asked for much of it before."""
    sys.meta_path.insert(0, _AsTheyAre)
    early_config.add_cleanup(lambda: sys.meta_path.remove(_AsTheyAre))


def pytest_configure(config: pytest.Config) -> None:
    """Tell at once, and once, of options that cannot be; raises UsageError."""
    if config.getoption("kubernetes_keep_on_failure") and config.getoption("dist", "no") != "no":
        raise pytest.UsageError("--kubernetes-keep-on-failure waits for Enter, which workers cannot: leave -n out")
    if (isolation := _isolation(config)) not in ISOLATIONS:
        raise pytest.UsageError(f"kubernetes_isolation is {isolation!r}, not one of {', '.join(ISOLATIONS)}")
    if not (nodes := str(_nodes(config))).isdecimal():
        raise pytest.UsageError(f"kubernetes_nodes is {nodes!r}, no number of nodes")
    if missing := [str(path) for path in config.getini("kubernetes_apply") if not path.exists()]:
        raise pytest.UsageError(f"kubernetes_apply: there is no {', '.join(missing)}")
    if (controllers := _controllers(config)) != ["*"]:
        from steersman.controllers.table import TABLE

        known = {kind.name for kind in TABLE}
        if unknown := [each for each in controllers if each != "*" and each.removeprefix("-") not in known]:
            raise pytest.UsageError(
                f"kubernetes_controllers: there is no {', '.join(unknown)}, but {', '.join(sorted(known))}"
            )


def _isolation(config: pytest.Config) -> str:
    return str(config.getoption("kubernetes_isolation") or config.getini("kubernetes_isolation"))


def _nodes(config: pytest.Config) -> int | str:
    nodes: int | None = config.getoption("kubernetes_nodes")
    return str(config.getini("kubernetes_nodes")) if nodes is None else nodes


def _controllers(config: pytest.Config) -> list[str]:
    names = config.getoption("kubernetes_controllers")
    return [each for each in (names.split(",") if names else config.getini("kubernetes_controllers")) if each]


@pytest.fixture(scope="session")
def kubernetes_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A cluster for all tests of a run, or of a worker of pytest-xdist; override it for one that is made otherwise."""
    from .cluster import Cluster

    with Cluster(controllers=_controllers(pytestconfig), nodes=int(_nodes(pytestconfig))) as cluster:
        wrong = ""
        try:
            cluster.apply(*pytestconfig.getini("kubernetes_apply"))
        except Exception as error:
            wrong = f"kubernetes_apply: {error}"
        if wrong:
            pytest.fail(wrong, pytrace=False)  # each test that needs it is told
        yield cluster


@pytest.fixture
def kubernetes(kubernetes_cluster: Cluster, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The cluster, for one test: what others did is not to be seen."""
    isolation = _isolation(pytestconfig)
    if isolation == "none":
        yield kubernetes_cluster
        return
    kubernetes_cluster.requests.clear()
    from .access import lent

    with lent(kubernetes_cluster):
        if isolation == "snapshot":
            with kubernetes_cluster.snapshot():
                yield kubernetes_cluster
                kubernetes_cluster.faults.clear()  # before it is restored
        else:
            name = kubernetes_cluster.create_namespace()
            yield kubernetes_cluster.in_namespace(name)
            kubernetes_cluster.faults.clear()
            kubernetes_cluster.delete_namespace(name)


@pytest.fixture
def async_kubernetes(kubernetes: Cluster) -> AsyncCluster:
    """The same as ``kubernetes``, with methods to be awaited, on whatever event loop."""
    return kubernetes.awaitable


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what went on in the cluster of a test that failed."""
    report = yield
    if report.when == "setup":
        item.stash[BEGUN] = call.start
    if report.failed and report.when != "teardown":
        said = str(call.excinfo.value) if call.excinfo is not None else ""
        report.sections += _told(_clusters(item), item.stash[BEGUN], said)
    return report


def pytest_exception_interact(node: pytest.Item, report: pytest.TestReport) -> None:
    """Leave the cluster of a test that failed as it is, for as long as somebody looks at it."""
    if not isinstance(node, pytest.Item) or not node.config.getoption("kubernetes_keep_on_failure"):
        return
    clusters = _clusters(node)
    capture = node.config.pluginmanager.getplugin("capturemanager")
    if not clusters or capture is None:
        return
    capture.suspend_global_capture(in_=True)
    try:
        print(f"\n\n{node.nodeid} failed, and waits: its cluster is there.\n", file=sys.stderr)
        for cluster in clusters:
            print(f"    export KUBECONFIG={cluster.kubeconfig_path}", file=sys.stderr)
        print("\nPress Enter to go on. ", end="", file=sys.stderr, flush=True)
        sys.stdin.readline()
    finally:
        capture.resume_global_capture()


def _clusters(item: pytest.Item) -> list[Cluster]:
    """Those that a test has by its fixtures; of one that is there twice, the one made for the test."""
    if (module := sys.modules.get(f"{__package__}.cluster")) is None:
        return []
    found: dict[int, Cluster] = {}
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, module.Cluster) and value.runs:
            found[id(value.life)] = value
    return list(found.values())


def _told(clusters: list[Cluster], since: float, said: str) -> list[tuple[str, str]]:
    """But for what the failure has said already, as that of ``wait_for`` does of events."""
    if not clusters:
        return []
    from .report import sections

    told = (section for cluster in clusters for section in sections(cluster, since))
    return [(title, text) for title, text in told if not all(line in said for line in text.splitlines())]

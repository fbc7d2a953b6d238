"""The ``steersman`` command: thin; what it does is in :mod:`steersman.cluster`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import steersman
from steersman.cluster import config as configuration
from steersman.cluster.config import DEFAULT_DATA_DIR, ClusterConfig, ConfigError

F = Callable[..., Any]

TAINT = "kwok.x-k8s.io/node=fake:NoSchedule"
"""Keeps what is to run off nodes that run nothing, where there are others."""


class Commands(click.Group):
    """A group whose commands fail with the cause and the cure, never with a traceback of the expected."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; ConfigError ends it with exit code 1."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    steersman.__version__, message=f"steersman %(version)s, Kubernetes {steersman.KUBERNETES_VERSION}"
)
def main() -> None:
    """Steersman is Kubernetes, complete, in Python."""


def data_dir_option(function: F) -> F:
    """Add ``--data-dir``."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False, readable=False),
        default=DEFAULT_DATA_DIR,
        show_default=True,
        envvar="STEERSMAN_DATA_DIR",
        help="Where the cluster keeps everything.",
    )(function)


def stages_option(function: F) -> F:
    """Add ``--stages``."""
    return click.option(
        "--stages",
        multiple=True,
        metavar="NAME|FILE|DIRECTORY",
        help="What pods and nodes go through: fast, general, chaos, or a file of Stages.  [default: fast]",
    )(function)


def cluster_options(function: F) -> F:
    """Add the settings that the data directory remembers."""
    for option in reversed(
        (
            click.option("--bind-address", metavar="ADDRESS", help="The API server listens there.  [default: all]"),
            click.option(
                "--secure-port", type=click.IntRange(1, 65535), help="The API server's port.  [default: 6443]"
            ),
            click.option(
                "--datastore",
                metavar="STORE",
                help="sqlite, memory, or etcd=URL[,URL…].  [default: sqlite]",
            ),
            click.option("--etcd-cafile", metavar="FILE", help="The authority of etcd's certificates, for https URLs."),
            click.option("--etcd-certfile", metavar="FILE", help="The certificate that etcd is shown."),
            click.option("--etcd-keyfile", metavar="FILE", help="Its key."),
            click.option("--node-name", metavar="NAME", help="This machine's node.  [default: the host name]"),
            click.option("--node-ip", "node_address", metavar="ADDRESS", help="This machine's address."),
            click.option(
                "--service-cidr",
                metavar="CIDR[,CIDR]",
                help="The Services' range, or one of each IP family.  [default: 10.96.0.0/12]",
            ),
            click.option(
                "--service-node-port-range", metavar="LOW-HIGH", help="The node ports.  [default: 30000-32767]"
            ),
            click.option("--cluster-cidr", metavar="CIDR", help="The pods' range.  [default: 10.244.0.0/16]"),
            click.option("--cluster-domain", metavar="DOMAIN", help="[default: cluster.local]"),
            click.option("--kubelet-port", type=click.IntRange(1, 65535), help="[default: 10250]"),
            click.option("--dns-port", type=click.IntRange(1, 65535), help="[default: 10053]"),
            click.option(
                "--runtime-config",
                metavar="GROUP/VERSION=true[,…]",
                help="Serve these API versions too, or api/beta, api/alpha, api/all.  [default: what upstream serves]",
            ),
            click.option("--profiling/--no-profiling", default=None, help="Serve /debug/pprof.  [default: no]"),
            click.option(
                "--simulated-nodes",
                type=click.IntRange(0, 10_000),
                help="Nodes that run nothing, and say that their pods run.  [default: 0]",
            ),
            click.option("--simulated-shape", metavar="SHAPE", help="[default: cpu=8,memory=32Gi,pods=110]"),
            click.option("--simulated-zones", type=click.IntRange(0, 1000), help="Spread them over so many zones."),
            click.option(
                "--simulated-taint",
                metavar="TAINT",
                help=f"[default: {TAINT} beside a real node, else none]",
            ),
            click.option(
                "--simulated-stages",
                metavar="STAGES",
                help="What pods go through: fast, general, chaos, or a file of Stages.  [default: fast]",
            ),
            click.option(
                "--simulated-metrics/--no-simulated-metrics",
                default=None,
                help="Serve metrics.k8s.io of simulated nodes, for kubectl top.  [default: no]",
            ),
            click.option("--airgap-images", metavar="DIR", help="Image tars found there are imported at start."),
        )
    ):
        function = option(function)
    return data_dir_option(function)


def resolve(data_dir: Path, settings: dict[str, Any]) -> ClusterConfig:
    """The configuration that a command works with."""
    return configuration.resolve(data_dir, **settings)


def _apart(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a cluster with a real node: what does not tolerate simulated ones is kept off them."""
    if settings["simulated_nodes"] and settings["simulated_taint"] is None:
        return {**settings, "simulated_taint": TAINT}
    return settings


def existing(data_dir: Path) -> ClusterConfig:
    """The configuration of a cluster that has been set up; raises ConfigError where there is none."""
    config = configuration.load(data_dir)
    if config is None:
        raise ConfigError(f"there is no cluster in {data_dir}; start one with: steersman up --data-dir {data_dir}")
    return config


@main.command()
@cluster_options
@click.option("--foreground", is_flag=True, help="Stay, and end the cluster's processes with this one.")
def up(data_dir: Path, foreground: bool, **settings: Any) -> None:
    """Start a cluster on this machine, and select its kubeconfig context."""
    from steersman.cluster import foreground as in_foreground
    from steersman.cluster import up as starting

    config = resolve(data_dir, _apart(settings))
    click.echo(f"Steersman {steersman.__version__}, Kubernetes {steersman.KUBERNETES_VERSION}, in {config.data_dir}")
    if foreground:
        in_foreground.run(config)
    else:
        starting.up(config, click.echo)


@main.command()
@data_dir_option
@click.option("--delete-data", is_flag=True, help="Remove the data directory too: every object, image and key.")
def down(data_dir: Path, delete_data: bool) -> None:
    """End a cluster and everything it made on this machine; its data directory stays."""
    from steersman.cluster import down as ending

    ending.down(configuration.canonical(data_dir), click.echo, delete_data=delete_data)


@main.command()
@data_dir_option
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(data_dir: Path, output: str) -> None:
    """Tell how a cluster does; the exit code is 0 when it serves and its node is ready."""
    from steersman.cluster import status as telling

    report = telling.report(existing(data_dir))
    click.echo(telling.as_json(report) if output == "json" else telling.as_text(report))
    sys.exit(0 if report.ready else 1)


@main.command()
@data_dir_option
def kubeconfig(data_dir: Path) -> None:
    """Print a kubeconfig of the cluster's administrator."""
    path = existing(data_dir).root / "admin.conf"
    try:
        click.echo(path.read_text(), nl=False)
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there yet; start the cluster first") from None
    except PermissionError:
        raise ConfigError(f"{path} is its owner's alone; run this with sudo") from None


@main.command()
@data_dir_option
@click.argument("process", type=click.Choice(["server", "agent", "containerd", "supervisor"]), default="server")
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, show_default=True, help="Begin so far back.")
def logs(data_dir: Path, process: str, follow: bool, lines: int) -> None:
    """Show the log of one of the cluster's processes."""
    from steersman.cluster import logs as reading

    reading.show(existing(data_dir), process, lines=lines, follow=follow)


@main.command()
@cluster_options
@click.option("--disable-node", is_flag=True, help="The control plane alone.")
@click.option("--disable-controllers", is_flag=True, help="Without the controllers.")
@click.option("--disable-scheduler", is_flag=True, help="Without the scheduler.")
@click.option("-v", "--verbose", is_flag=True, help="Log every request.")
def server(
    data_dir: Path,
    disable_node: bool,
    disable_controllers: bool,
    disable_scheduler: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Run a control plane, and a node beside it, in the foreground."""
    from steersman.cluster import server as serving

    serving.run(
        resolve(data_dir, settings if disable_node else _apart(settings)),
        node=not disable_node,
        controllers=not disable_controllers,
        scheduler=not disable_scheduler,
        verbose=verbose,
    )


@main.command()
@data_dir_option
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def agent(data_dir: Path, verbose: bool) -> None:
    """Run this machine's node in the foreground, for the control plane of the same data directory."""
    from steersman.cluster import agent as running

    running.run(existing(data_dir), verbose=verbose)


@main.command()
@click.option(
    "--kubeconfig",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="[default: $KUBECONFIG, a pod's service account, or ~/.kube/config]",
)
@click.option("--context", default="", help="[default: the current one]")
@click.option("--nodes", "count", type=click.IntRange(0, 10_000), default=1, show_default=True, help="Create so many.")
@click.option("--name", default="node-{}", show_default=True, help="What they are called; {} is the number, from 0.")
@click.option("--shape", default="", metavar="SHAPE", help="[default: cpu=8,memory=32Gi,pods=110]")
@click.option("--zones", type=click.IntRange(0, 1000), default=0, help="Spread them over so many zones.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE")
@click.option(
    "--taint",
    "taints",
    multiple=True,
    default=(TAINT,),
    show_default=True,
    metavar="KEY=VALUE:EFFECT",
    help="Instead of that which keeps off what does not tolerate it; an empty one for none.",
)
@stages_option
@click.option(
    "--mark",
    metavar="VALUE",
    help="Look after all nodes that have this value of the annotation kwok.x-k8s.io/node, which those created here "
    "have; nodes made for kwok have 'fake'.  [default: --name without {}]",
)
@click.option("--metrics", is_flag=True, help="Serve metrics.k8s.io of simulated nodes, for kubectl top.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
def nodes(
    path: Path | None,
    context: str,
    count: int,
    name: str,
    shape: str,
    zones: int,
    labels: tuple[str, ...],
    taints: tuple[str, ...],
    stages: tuple[str, ...],
    mark: str | None,
    metrics: bool,
    verbose: bool,
) -> None:
    """Look after simulated nodes of any cluster, in the foreground: those it creates, and others of the same mark."""
    from steersman.cluster import simulated
    from steersman.simulation.ownership import mark_of_name

    made = simulated.shape_of(
        shape, count=count, name=name, zones=zones, labels=labels, taints=[each for each in taints if each]
    )
    config = simulated.simulation((made,), stages, mark if mark is not None else mark_of_name(name))
    simulated.run(simulated.access_to(path, context), config, metrics=metrics, verbose=verbose)


@main.command()
@click.option("--json", is_flag=True, help="Say how to reach it in one line of JSON: address, ca, token, kubeconfig.")
@click.option(
    "--controllers",
    metavar="NAMES",
    default="*",
    show_default=True,
    help="Which to run: * for all, names, -NAME for not that one, separated by commas.",
)
@click.option("--disable-scheduler", is_flag=True, help="Without the scheduler.")
@click.option("--nodes", type=click.IntRange(0, 10_000), default=1, show_default=True, help="Simulated nodes.")
@stages_option
@click.option("--secure-port", type=click.IntRange(0, 65535), default=0, help="The port.  [default: a free one]")
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A directory for SQLite's files, which stay.  [default: memory]",
)
def testserver(
    json: bool,
    controllers: str,
    disable_scheduler: bool,
    nodes: int,
    stages: tuple[str, ...],
    secure_port: int,
    store: Path | None,
) -> None:
    """Run a cluster for tests, in any language, until SIGTERM or the end of standard input; nothing of it stays.

    It listens on 127.0.0.1, keeps its objects in memory, and needs no rights.  Nodes are simulated: pods say that they
    run, and nothing does.
    """
    from steersman.api.clock import SYSTEM
    from steersman.simulation import NodeShape, SimulationConfig, stages_of
    from steersman.testing import testserver as serving
    from steersman.testing.composition import Settings

    try:
        simulation = SimulationConfig(nodes=(NodeShape(count=nodes),), stages=stages_of(*stages))
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
    settings = Settings(
        controllers=tuple(name for name in controllers.split(",") if name),
        scheduler=not disable_scheduler,
        simulation=simulation,
        store=store,
        clock=SYSTEM,
        port=secure_port,
    )
    serving.run(settings, json=json)


@main.command()
@click.argument("scenario", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@click.option(
    "--picture",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the answer, too: a file .svg or .png. Several if need be.",
)
@click.option(
    "--resource", type=click.Choice(["cpu", "memory"]), help="What the picture is about.  [default: the scarcer]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides where nothing else does.")
def simulate(scenario: Path, output: str, picture: tuple[Path, ...], resource: str | None, seed: int) -> None:
    """Tell what fits onto the nodes of a scenario, where, and what becomes of it when some of them fail."""
    from steersman.planning import command
    from steersman.planning.faults import ScenarioError

    try:
        command.run(scenario, output=output, pictures=picture, resource=resource or "", seed=seed)
    except ScenarioError as error:
        raise click.ClickException(str(error)) from error


@main.group()
def images() -> None:
    """The container images of this machine's node."""


@images.command("import")
@data_dir_option
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_(data_dir: Path, archives: tuple[Path, ...]) -> None:
    """Import image archives (OCI or docker-save tars)."""
    from steersman.cluster import images as importing

    for name in importing.import_archives(existing(data_dir), archives):
        click.echo(name)


@images.command("build")
@click.argument("tag")
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--file", "files", multiple=True, metavar="SOURCE:TARGET", help="A file of this machine, and its place.")
@click.option("--link", "links", multiple=True, metavar="TARGET:NAME", help="A symbolic link in the image.")
@click.option(
    "--busybox",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A static busybox, and a link for each of its commands.",
)
@click.option("--command", metavar="COMMAND", help="What the image runs, split at blanks.")
def build(
    tag: str, archive: Path, files: tuple[str, ...], links: tuple[str, ...], busybox: Path | None, command: str | None
) -> None:
    """Make an image archive out of files of this machine, without a network."""
    from steersman.cluster import images as building

    building.build_archive(tag, archive, files, links, busybox, command)


if __name__ == "__main__":
    main()

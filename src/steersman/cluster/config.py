"""What a cluster on this machine is: decided once by ``up`` or ``server``, kept in its data directory."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from steersman.pki.config import PKIConfig, write_private

DEFAULT_DATA_DIR = Path("/var/lib/steersman")

DATA_VERSION = 1
"""The layout of the data directory that this release reads and writes."""


FEWEST_SERVICE_ADDRESSES = 16
"""The DNS Service has the tenth, and others must find room."""

NODE_PREFIX = 24
"""The size of a node's part of the pod range."""


_FILES = ("airgap_images", "etcd_cafile", "etcd_certfile", "etcd_keyfile")
_PORT_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")

LONGEST_NAME = 253
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class ConfigError(Exception):
    """Something about the machine or the settings stands in the way; the message names the cause and the cure."""


Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WIDEST_IPV6 = 64
"""The shortest mask of a service range: upstream's number."""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One cluster on one machine.

    Everything that may differ between two clusters on one machine is here: directories, ports, address ranges,
    and the names of kernel objects, which derive from ``identity``.
    """

    data_dir: str
    node_name: str
    node_address: str
    bind_address: str = "0.0.0.0"  # noqa: S104 - an API server is reached from its pods and other nodes
    secure_port: int = 6443
    datastore: str = "sqlite"
    etcd_cafile: str = ""
    etcd_certfile: str = ""
    etcd_keyfile: str = ""
    service_cidr: str = "10.96.0.0/12"
    service_node_port_range: str = "30000-32767"
    cluster_cidr: str = "10.244.0.0/16"
    cluster_domain: str = "cluster.local"
    kubelet_port: int = 10250
    dns_port: int = 10053
    airgap_images: str = ""
    profiling: bool = False
    runtime_config: str = ""
    simulated_nodes: int = 0
    simulated_shape: str = ""
    simulated_zones: int = 0
    simulated_taint: str = ""
    simulated_stages: str = ""
    simulated_metrics: bool = False

    @property
    def root(self) -> Path:
        """The data directory."""
        return Path(self.data_dir)

    @property
    def identity(self) -> str:
        """``steersman``, or with a data directory of one's own ``steersman-`` and six digits of its path's hash."""
        if self.root == DEFAULT_DATA_DIR:
            return "steersman"
        return f"steersman-{hashlib.sha256(str(self.root).encode()).hexdigest()[:6]}"

    @property
    def shares_store(self) -> bool:
        """Whether other servers may be on the same store."""
        return self.datastore.startswith("etcd=")

    @property
    def process_identity(self) -> str:
        """Who holds the leases of this server's components: the same after a restart, which then need not wait."""
        return f"{self.node_name}_{self.identity}"

    @property
    def bridge(self) -> str:
        """The name of the bridge between pods; interface names have at most 15 characters."""
        return self.identity.replace("steersman", "steer").replace("-", "")[:13] + "0"

    @property
    def server_address(self) -> str:
        """The address under which this machine's own processes reach the API server."""
        address = ipaddress.ip_address(self.bind_address)
        return self.node_address if address.is_unspecified else self.bind_address

    @property
    def server_url(self) -> str:
        """The URL in the kubeconfigs."""
        host = f"[{self.server_address}]" if ":" in self.server_address else self.server_address
        return f"https://{host}:{self.secure_port}"

    @property
    def service_networks(self) -> tuple[Network, ...]:
        """The Services' ranges, one or one of each family; the first one's is the default family."""
        return tuple(ipaddress.ip_network(text.strip()) for text in self.service_cidr.split(","))

    @property
    def dns_address(self) -> str:
        """The cluster IP of the DNS Service: the tenth of the first range, as kubeadm has it."""
        return str(self.service_networks[0][10])

    @property
    def kubernetes_address(self) -> str:
        """The cluster IP of the ``kubernetes`` Service: the first of the first range."""
        return str(self.service_networks[0][1])

    @property
    def node_ports(self) -> tuple[int, int]:
        """The lowest and the highest node port."""
        low, _, high = self.service_node_port_range.partition("-")
        return int(low), int(high)

    @property
    def runtime_versions(self) -> tuple[str, ...]:
        """The group-versions to serve beside those that always are; one that is named outdoes ``api/…``."""
        said = {name: value != "false" for name, value in _runtime_config(self.runtime_config)}
        found = {name: value for name, value in said.items() if name not in _LEVELS}
        for level in reversed(_LEVELS):
            for each in sorted(_servable()) if level in said else ():
                if _LEVELS[level] in each.rpartition("/")[2]:
                    found.setdefault(each, said[level])
        return tuple(name for name, value in found.items() if value)

    @property
    def pki(self) -> PKIConfig:
        """The certificates that this cluster needs."""
        return PKIConfig(
            directory=self.root / "pki",
            node_name=self.node_name,
            node_address=self.node_address,
            server=self.server_url,
            addresses=(self.server_address,),
            service_cidr=str(self.service_networks[0]),
            cluster_domain=self.cluster_domain,
            cluster_name=self.identity,
        )


def canonical(data_dir: Path) -> Path:
    """A data directory by the one name that all commands give it: absolute, without symbolic links.

    The name decides the cluster's identity.  The default directory keeps its name although it may be a link.
    """
    real = Path(os.path.realpath(data_dir))
    return DEFAULT_DATA_DIR if real == Path(os.path.realpath(DEFAULT_DATA_DIR)) else real


def load(data_dir: Path) -> ClusterConfig | None:
    """The configuration that a data directory holds, None where there is none.

    Its ``data_dir`` is where it was found: a directory that was copied or moved is another cluster's, and never
    leads back to the first one's processes.  Raises ConfigError for a layout of another release, and for a file that
    cannot be read.
    """
    data_dir = canonical(data_dir)
    path = data_dir / "cluster.json"
    try:
        version = data_dir / "VERSION"
        if version.exists() and (text := version.read_text().strip()) != str(DATA_VERSION):
            raise ConfigError(
                f"{data_dir} has layout version {text!r}; this release of Steersman reads version {DATA_VERSION}. "
                "Use the release that wrote it, or another --data-dir. Nothing was changed."
            )
        config = msgspec.json.decode(path.read_bytes(), type=ClusterConfig)
        return msgspec.structs.replace(config, data_dir=str(data_dir))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ConfigError(
            f"{data_dir} is its owner's alone; run this with sudo, or choose another --data-dir"
        ) from error
    except NotADirectoryError as error:
        raise ConfigError(f"{data_dir} lies below a file; choose another --data-dir") from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"cannot read {path}: {error}; restore it from a backup, or use another --data-dir"
        ) from error


def save(config: ClusterConfig) -> None:
    """Write the configuration, and the layout's version beside it."""
    root = config.root
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (root / "VERSION").exists():
            write_private(root / "VERSION", f"{DATA_VERSION}\n".encode())
        data = msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"
        path = root / "cluster.json"
        if not path.exists() or path.read_bytes() != data:
            write_private(path, data)
    except PermissionError as error:
        raise ConfigError(
            f"cannot write to {root}: {error.strerror}; run as root, or choose another --data-dir"
        ) from error


def resolve(data_dir: Path, *, present: ClusterConfig | None = None, **settings: object) -> ClusterConfig:
    """The configuration for a data directory: what it holds already, changed by the settings that are not None."""
    data_dir = canonical(data_dir)
    given = {name: value for name, value in settings.items() if value is not None}
    present = present or load(data_dir)
    for name in _FILES:  # the node's process works in another directory
        if given.get(name):
            given[name] = os.path.abspath(str(given[name]))
    try:
        if present is not None:
            config = msgspec.structs.replace(present, **given)
        else:
            config = ClusterConfig(
                **{  # type: ignore[arg-type]
                    "data_dir": str(data_dir),
                    "node_name": socket.gethostname().lower(),
                    "node_address": default_address(),
                    **given,
                }
            )
        ipaddress.ip_address(config.bind_address)
        ipaddress.ip_address(config.node_address)
        services = config.service_networks
        pods = ipaddress.ip_network(config.cluster_cidr)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    for option, name in (("--node-name", config.node_name), ("--cluster-domain", config.cluster_domain)):
        if len(name) > LONGEST_NAME or not _SUBDOMAIN.fullmatch(name):
            raise ConfigError(
                f"{name!r} cannot be a {option[2:].replace('-', ' ')}: it must consist of lower case letters, digits, "
                f"'-' and '.', and begin and end with a letter or digit; choose another with {option}"
            )
    ports = _PORT_RANGE.fullmatch(config.service_node_port_range)
    if ports is None or not 1 <= int(ports[1]) <= int(ports[2]) <= 65535:
        raise ConfigError(
            f"{config.service_node_port_range!r} is no range of ports such as 30000-32767; "
            "choose another --service-node-port-range"
        )
    if given.get("airgap_images") and not Path(config.airgap_images).is_dir():
        raise ConfigError(f"{config.airgap_images} is no directory; choose another with --airgap-images")
    if given.keys() & {"simulated_shape", "simulated_taint", "simulated_stages", "simulated_metrics"}:
        _can_be_simulated(config)
    if given.get("runtime_config"):
        _can_be_served(config)
    if present is not None:
        _keeps_its_ranges(present, config)
    _check_services(services, pods)
    if pods.prefixlen > NODE_PREFIX:
        raise ConfigError(f"the pod range {pods} is too small; each node gets a /{NODE_PREFIX} of it")
    if config.datastore not in ("sqlite", "memory") and not config.shares_store:
        raise ConfigError(f"there is no datastore {config.datastore!r}; choose sqlite, memory or etcd=URL[,URL…]")
    return config


def _check_services(services: Sequence[Network], pods: Network) -> None:
    """Raises ConfigError for ranges that Services cannot have."""
    if len(services) > 2:
        raise ConfigError("--service-cidr must not contain more than two networks")
    if len(services) == 2 and services[0].version == services[1].version:
        raise ConfigError("the two networks of --service-cidr must be of different IP families")
    for network in services:
        if network.version == pods.version and network.overlaps(pods):
            raise ConfigError(f"the service range {network} and the pod range {pods} overlap")
        if network.num_addresses < FEWEST_SERVICE_ADDRESSES:
            raise ConfigError(
                f"the service range {network} is too small; it needs {FEWEST_SERVICE_ADDRESSES} addresses"
            )
        if network.version == 6 and network.prefixlen < WIDEST_IPV6:
            raise ConfigError(f"the service range {network} is too large; of IPv6, the mask must be >= {WIDEST_IPV6}")


_LEVELS = {"api/all": "", "api/beta": "beta", "api/alpha": "alpha"}
"""What names many group-versions at once, by what their versions have in them; later ones outdo earlier ones."""


def _runtime_config(text: str) -> list[tuple[str, str]]:
    """Names and values as they were given."""
    pairs = (each.strip().partition("=") for each in text.split(",") if each.strip())
    return [(name, value) for name, _, value in pairs]


def _servable() -> dict[str, bool]:
    """What can be served, as something converts it to what is stored; and whether it is by default."""
    from steersman.api.resources import builtin_scheme
    from steersman.apiserver.registry.conversion import CONVERSIONS

    found: dict[str, bool] = {}
    lacking: set[str] = set()
    for resource in builtin_scheme():
        version = resource.group_version
        found[version] = found.get(version, False) or resource.served
        if resource.storage_version != version and (version, resource.kind) not in CONVERSIONS:
            lacking.add(version)
    return {version: default for version, default in found.items() if version not in lacking}


def _can_be_served(config: ClusterConfig) -> None:
    """Raises ConfigError for group-versions that nobody knows, that cannot be served, or that always are."""
    known = _servable()
    for name, value in _runtime_config(config.runtime_config):
        given = f"{name}={value}" if value else name
        if (name not in known and name not in _LEVELS) or value not in ("", "true", "false"):
            raise ConfigError(
                f"{given!r} is no group-version that can be served; choose such as "
                "--runtime-config admissionregistration.k8s.io/v1beta1=true, or api/beta=true"
            )
        if value == "false" and (name == "api/all" or known.get(name, False)):
            raise ConfigError(f"{given!r} would turn off what is always served; leave it out of --runtime-config")


def _can_be_simulated(config: ClusterConfig) -> None:
    """Raises ConfigError for what simulated nodes cannot be."""
    from . import simulated

    simulated.config_of(config)
    if config.simulated_metrics:
        simulated.check_metrics(config.node_address)


def _keeps_its_ranges(present: ClusterConfig, config: ClusterConfig) -> None:
    """Services and nodes have addresses of the ranges with which they were made; raises ConfigError for others."""
    if present.datastore == "memory" or config.datastore != present.datastore or not (config.root / "server").exists():
        return
    for option, before, after in (
        ("--service-cidr", present.service_cidr, config.service_cidr),
        ("--cluster-cidr", present.cluster_cidr, config.cluster_cidr),
    ):
        if before != after:
            raise ConfigError(
                f"the cluster in {config.root} was made with {option} {before}, and its objects have addresses of that "
                f"range; it cannot get {after}. Choose another --data-dir, or begin anew after: "
                f"steersman down --data-dir {config.root} --delete-data"
            )


def default_address() -> str:
    """The address from which this machine would speak to others; loopback where it has no route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))  # documentation range; connecting a datagram socket sends nothing
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address

"""What must be so before anything is started: each check names the cause and the cure."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .config import ClusterConfig, ConfigError

PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "nft": "nftables",
    "iptables": "iptables",
    "ip": "iproute2",
}
"""Programs a node needs, and the Debian packages that bring them."""

CNI_DIRECTORIES = (Path("/opt/cni/bin"), Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap")

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def cni_directory() -> Path | None:
    """Where the CNI plugins are, None where they are not all in one place."""
    for directory in CNI_DIRECTORIES:
        if all((directory / plugin).exists() for plugin in CNI_PLUGINS):
            return directory
    return None


def find_program(name: str) -> str | None:
    """The path of a program, looked up where administrators' programs are too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def use_system_path() -> None:
    """Let this process and its children find administrators' programs, whatever PATH they were started with."""
    present = os.environ.get("PATH", "").split(os.pathsep)
    missing = [directory for directory in SYSTEM_PATH.split(":") if directory not in present]
    os.environ["PATH"] = os.pathsep.join([*filter(None, present), *missing])


def check_node() -> None:
    """Root, and every program that a node needs; raises ConfigError that names all that is missing."""
    if os.geteuid() != 0:
        raise ConfigError("a node needs root: it makes network namespaces, mounts and cgroups; run this with sudo")
    missing = {package for program, package in PROGRAMS.items() if find_program(program) is None}
    if cni_directory() is None:
        missing.add("containernetworking-plugins")
    if missing:
        packages = " ".join(sorted(missing))
        raise ConfigError(f"these packages are missing: {packages}; install them with: apt-get install {packages}")


def check_ports(config: ClusterConfig, *, node: bool) -> None:
    """Every port is free; raises ConfigError that names the one that is not and the option that changes it."""
    wanted = [(config.bind_address, config.secure_port, "--secure-port")]
    if node:
        wanted.append(("0.0.0.0", config.kubelet_port, "--kubelet-port"))  # noqa: S104 - as the kubelet will
        wanted.append((config.node_address, config.dns_port, "--dns-port"))
    for address, port, option in wanted:
        check_port(address, port, option)
    if node:
        check_port(config.node_address, config.dns_port, "--dns-port", socket.SOCK_DGRAM)


def check_port(address: str, port: int, option: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """One port can be listened on; raises ConfigError otherwise."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"port {port} on {address} is taken; end what listens there, or choose {option}"
                ) from None
            if error.errno == errno.EADDRNOTAVAIL:
                cure = "--bind-address" if option == "--secure-port" else "--node-ip"
                raise ConfigError(
                    f"{address} is not an address of this machine (any more); choose another {cure}"
                ) from None
            raise ConfigError(f"cannot listen on {address}:{port}: {error.strerror}") from error


def check_ranges(config: ClusterConfig) -> None:
    """No route of another network lies inside our address ranges; raises ConfigError that names it."""
    first = config.service_networks[0]
    if first.version != 4:
        raise ConfigError(
            f"the first service range, {first}, is of IPv6, which nodes do not serve yet; begin --service-cidr with "
            "one of IPv4, or run the control plane alone with --disable-node"
        )
    ours = ipaddress.ip_network(config.cluster_cidr)
    for option, range_ in (("--cluster-cidr", ours), ("--service-cidr", first)):
        for network, interface in _routes():
            if interface != config.bridge and network.prefixlen > 0 and range_.overlaps(network):
                raise ConfigError(f"{range_} overlaps the route {network} of {interface}; choose another {option}")
    ours = first
    for table, network in _other_services(f"{config.identity}-proxy"):
        if ours.overlaps(network):
            raise ConfigError(
                f"{ours} overlaps the Services {network} of another cluster on this machine (nftables table {table}); "
                "choose another --service-cidr"
            )


def _other_services(own_table: str) -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    """The service ranges of other clusters' proxies: no route tells of them, only their rules do."""
    for line in _nft("list", "tables", "ip").splitlines():
        table = line.rpartition(" ")[2]
        if table.endswith("-proxy") and table != own_table:
            for text in _UNALLOCATED.findall(_nft("list", "chain", "ip", table, "cluster-ips-check")):
                yield table, ipaddress.IPv4Network(text)


_UNALLOCATED = re.compile(r"ip daddr (\d+\.\d+\.\d+\.\d+/\d+) drop")


def _nft(*arguments: str) -> str:
    """What nft lists; nothing where it cannot, because whoever needs the answer can do without."""
    program = find_program("nft")
    if program is None:
        return ""
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=30).stdout


def _routes() -> Iterator[tuple[ipaddress.IPv4Network, str]]:
    """The main IPv4 routes, from ``/proc/net/route`` (addresses in host byte order, hexadecimal)."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask, *_ = line.split()
        numbers = [int.from_bytes(bytes.fromhex(text), "little") for text in (destination, mask)]
        yield ipaddress.IPv4Network((numbers[0], numbers[1].bit_count())), interface


def raise_file_limit() -> None:
    """Allow as many open files as the hard limit does; each watch and each pod needs some."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

"""What a cluster makes on the machine outside its data directory, so that a test can see that all of it is gone."""

import json
import re
import subprocess
from pathlib import Path

from steersman.cluster.config import ClusterConfig

CGROUPS = Path("/sys/fs/cgroup")
OTHERS_CGROUPS = {"system.slice", "user.slice", "init.scope"}
"""Where the services of the machine itself come and go."""


def processes(data_dir: Path) -> set[str]:
    """The processes whose command line names a directory, and those whose root or mounts lie in it."""
    found = set()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            mounts = (directory / "mountinfo").read_text()
        except (OSError, ProcessLookupError):
            continue
        if command and str(data_dir) in command and "pytest" not in command:
            found.add(f"process {directory.name}: {command[:200]}")
        elif command and f"{data_dir}/" in mounts and not _same_mount_namespace(directory):
            found.add(f"process {directory.name} in a container: {command[:200]}")
    return found


def _same_mount_namespace(process: Path) -> bool:
    try:
        return (process / "ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()
    except OSError:
        return True


def mounts(data_dir: Path) -> set[str]:
    """The mounts below a directory, and the network namespaces that are bound somewhere."""
    points = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    return {
        f"mount {point}" for point in points if point.startswith((f"{data_dir}/", "/run/netns/", "/var/run/netns/"))
    }


def interfaces() -> set[str]:
    """The network interfaces."""
    return {f"interface {path.name}" for path in Path("/sys/class/net").iterdir()}


IPTABLES = {"filter", "nat", "mangle", "raw", "security"}
"""The tables of iptables, which stay when empty; their rules are what counts."""


def nft_tables() -> set[str]:
    """The tables of nftables."""
    result = subprocess.run(["nft", "-j", "list", "tables"], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return set()
    items = json.loads(result.stdout or '{"nftables": []}')["nftables"]
    return {
        f"nft table {item['table']['family']} {item['table']['name']}"
        for item in items
        if "table" in item and item["table"]["name"] not in IPTABLES
    }


def nat_rules() -> set[str]:
    """The NAT rules of iptables, with which CNI plugins masquerade and forward ports."""
    result = subprocess.run(["iptables-save", "-t", "nat"], capture_output=True, text=True, check=False)
    return {f"iptables nat {line}" for line in result.stdout.splitlines() if line.startswith("-A")}


def cgroups() -> set[str]:
    """The control groups at the top of every hierarchy, and all below those of clusters.

    What lies below another group is the business of whoever made that.
    """
    return {f"cgroup {path}" for path in _groups(CGROUPS, 2)}


def _groups(root: Path, levels: int) -> list[Path]:
    found = []
    try:
        for path in root.iterdir():
            if path.is_dir() and not path.is_symlink() and path.name not in OTHERS_CGROUPS:
                found.append(path)
                if levels > 1 or path.name.startswith("steersman") or "steersman" in str(root):
                    found += _groups(path, levels - 1)
    except OSError:  # a group that ends while we look
        pass
    return found


def snapshot(data_dir: Path) -> set[str]:
    """Everything, as lines for people."""
    return processes(data_dir) | mounts(data_dir) | interfaces() | nft_tables() | nat_rules() | cgroups()


def without_other_clusters(lines: set[str], config: ClusterConfig) -> set[str]:
    """Leave out what belongs to other clusters of this machine, which come and go as they like.

    Nothing tells whose a pod's interface or network namespace is: they count only while there is no other cluster.
    """
    others = {path.name for path in _groups(CGROUPS, 2) if re.fullmatch(r"steersman(-[0-9a-f]{6})?", path.name)}
    others -= {config.identity}
    if not others:
        return lines
    bridges = {f"interface steer{name.removeprefix('steersman').removeprefix('-')}0" for name in others}
    names = "|".join(rf"{re.escape(name)}(?!-[0-9a-f]{{6}}\b)" for name in sorted(others))
    theirs = re.compile(rf"(cgroup|nft table) .*\b({names})\b")
    shared = ("interface veth", "mount /run/netns/", "mount /var/run/netns/", "iptables ")
    unclear = {line for line in lines if line.startswith(shared) and config.identity not in line}
    return {line for line in lines - bridges - unclear if not theirs.match(line)}

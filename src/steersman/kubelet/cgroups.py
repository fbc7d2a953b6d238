"""Cgroups of pods, by the cgroupfs driver, below one root of our own; v1, hybrid and v2.

The tree is upstream's: ``<root>/kubepods[/burstable|/besteffort]/pod<uid>``; the runtime makes the containers' own
groups inside.  On v1 and hybrid machines each controller has a hierarchy; only ``cpu``, ``memory`` and ``pids`` get
values here, the runtime makes the rest.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import msgspec

MOUNT = Path("/sys/fs/cgroup")

MIN_SHARES = 2
MAX_SHARES = 262144
QUOTA_PERIOD = 100_000


class CgroupLimits(msgspec.Struct, frozen=True):
    """What a group gets; None leaves a value alone.  ``cpu_quota`` is in microseconds a period of 100 ms."""

    cpu_shares: int | None = None
    cpu_quota: int | None = None
    memory: int | None = None
    pids: int | None = None


@cache
def unified() -> bool:
    """Whether the machine is on cgroup v2 alone."""
    return (MOUNT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """The roots of every hierarchy that is mounted."""
    if unified():
        return [MOUNT]
    return sorted(path for path in MOUNT.iterdir() if path.is_dir() and not path.is_symlink())


def shares_for(milli_cpu: int) -> int:
    """CPU shares of a request in thousandths of a core."""
    if milli_cpu == 0:
        return MIN_SHARES
    return min(MAX_SHARES, max(MIN_SHARES, milli_cpu * 1024 // 1000))


def quota_for(milli_cpu: int) -> int:
    """CFS quota of a limit in thousandths of a core; 0 is none."""
    return max(1000, milli_cpu * QUOTA_PERIOD // 1000) if milli_cpu else 0


def weight_for(shares: int) -> int:
    """Cgroup v2's weight of v1's shares."""
    return 1 + (shares - 2) * 9999 // 262142


def pod_group(root: str, qos: str, uid: str) -> str:
    """A pod's group, as the runtime is told it (``cgroup_parent``)."""
    middle = {"Burstable": "burstable/", "BestEffort": "besteffort/"}.get(qos, "")
    return f"/{root}/kubepods/{middle}pod{uid}"


def apply(group: str, limits: CgroupLimits) -> None:
    """Create a group and give it its limits; raises OSError."""
    if unified():
        _apply_unified(group, limits)
        return
    values = {
        "cpu": {
            "cpu.shares": limits.cpu_shares,
            "cpu.cfs_quota_us": limits.cpu_quota,
        },
        "memory": {"memory.limit_in_bytes": limits.memory},
        "pids": {"pids.max": limits.pids},
    }
    for controller, files in values.items():
        base = MOUNT / controller
        if not base.exists():
            continue
        path = base / group.strip("/")
        path.mkdir(parents=True, exist_ok=True)
        for name, value in files.items():
            if value is not None:
                (path / name).write_text(str(value))


def _apply_unified(group: str, limits: CgroupLimits) -> None:
    path = MOUNT
    for part in group.strip("/").split("/"):
        available = (path / "cgroup.controllers").read_text().split()
        for controller in ("cpu", "cpuset", "memory", "pids", "io", "hugetlb"):
            if controller in available:
                try:
                    (path / "cgroup.subtree_control").write_text(f"+{controller}")
                except OSError:
                    continue  # a group with processes of its own cannot delegate; the runtime copes
        path /= part
        path.mkdir(exist_ok=True)
    settings = {
        "cpu.weight": None if limits.cpu_shares is None else weight_for(limits.cpu_shares),
        "cpu.max": None if limits.cpu_quota is None else f"{limits.cpu_quota} {QUOTA_PERIOD}",
        "memory.max": limits.memory,
        "pids.max": limits.pids,
    }
    for name, value in settings.items():
        if value is not None and (path / name).exists():
            (path / name).write_text(str(value))


def processes_below(group: str) -> list[int]:
    """The processes in a group and all groups below it, in any hierarchy."""
    found: set[int] = set()
    for base in hierarchies():
        for directory, _, _ in os.walk(base / group.strip("/")):
            try:
                found.update(int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split())
            except OSError:
                continue
    found.discard(0)
    return sorted(found)


def remove_tree(group: str) -> None:
    """Remove a group and all below it, in every hierarchy, as far as no process is in them."""
    for base in hierarchies():
        for directory, _, _ in os.walk(base / group.strip("/"), topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                continue


def pod_groups(root: str) -> dict[str, str]:
    """The pods that have groups: uid to group."""
    found = {}
    for base in hierarchies():
        top = base / root / "kubepods"
        for qos in ("", "burstable", "besteffort"):
            directory = top / qos
            if not directory.is_dir():
                continue
            for entry in directory.iterdir():
                if entry.name.startswith("pod"):
                    found[entry.name.removeprefix("pod")] = "/" + str(entry.relative_to(base))
    return found

"""A containerd of our own: configured, started, found again, and taken down without a trace.

It runs in a session of its own, so that it outlives the kubelet: a kubelet killed with ``-9`` finds it by its pid
file and socket, adopts it, and no container restarts.  :func:`teardown` needs nothing but the data directory and
works whatever has been killed before.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import msgspec

from .cgroups import processes_below, remove_tree
from .images import PAUSE_IMAGE, ImageError, Importer, build_pause_image
from .mounts import mounts_below, unmount_below
from .runtime import RuntimeFailure

log = logging.getLogger(__name__)

CAP_SYS_RESOURCE = 24

SOCKET_PATH_LIMIT = 107
"""What the kernel takes in a Unix socket's address."""


class ContainerdError(Exception):
    """containerd cannot be started; the message names the cause and the cure."""


class ContainerdConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One containerd.  ``directory`` holds everything of it; CNI paths are the network component's."""

    directory: Path
    cni_conf_dir: Path
    cni_bin_dirs: tuple[str, ...] = ("/opt/cni/bin", "/usr/lib/cni")
    cgroup_root: str = "steersman"
    pods_dir: Path | None = None
    sandbox_image: str = PAUSE_IMAGE
    max_concurrent_downloads: int = 3
    registry_config_dir: str = "/etc/containerd/certs.d"
    start_timeout: float = 15.0

    @property
    def socket(self) -> Path:
        """Where it listens: below its directory, or below ``/run`` when that path is too long for a socket."""
        path = self.directory / "containerd.sock"
        if len(str(path)) + len(".ttrpc") <= SOCKET_PATH_LIMIT:
            return path
        return Path("/run") / f"steersman-{_digest(self.directory)}" / "containerd.sock"

    @property
    def state(self) -> Path:
        """Containerd's state directory; fifos and bundles live here."""
        return self.directory / "state"


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def has_capability(number: int) -> bool:
    """Whether this process has a capability in its effective set."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def choose_snapshotter(directory: Path) -> str:
    """``overlayfs`` where the kernel and the directory's filesystem allow it, else ``native`` (which copies)."""
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        subprocess.run(["modprobe", "overlay"], capture_output=True, check=False)
    base = directory / ".overlay-check"
    shutil.rmtree(base, ignore_errors=True)
    lower, upper, work, merged = (base / name for name in ("lower", "upper", "work", "merged"))
    for part in (lower, upper, work, merged):
        part.mkdir(parents=True)
    try:
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        command = ["mount", "-t", "overlay", "overlay", "-o", options, str(merged)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "native"
        subprocess.run(["umount", str(merged)], capture_output=True, check=False)
        return "overlayfs"
    finally:
        shutil.rmtree(base, ignore_errors=True)


def render_config(config: ContainerdConfig, *, snapshotter: str, restrict_oom_score: bool, apparmor: bool) -> str:
    """Containerd's configuration file, version 2."""

    def text(value: object) -> str:
        return json.dumps(str(value))

    def flag(value: bool) -> str:
        return "true" if value else "false"

    cri = 'plugins."io.containerd.grpc.v1.cri"'
    bin_dir = next((path for path in config.cni_bin_dirs if (Path(path) / "bridge").exists()), config.cni_bin_dirs[-1])
    disabled = ["aufs", "btrfs", "devmapper", "zfs"]
    disabled_names = ", ".join(text(f"io.containerd.snapshotter.v1.{name}") for name in disabled)
    return f"""version = 2
root = {text(config.directory / "root")}
state = {text(config.state)}
disabled_plugins = [{disabled_names}, "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", \
"io.containerd.internal.v1.tracing"]

[grpc]
  address = {text(config.socket)}

[ttrpc]
  address = {text(str(config.socket) + ".ttrpc")}

[{cri}]
  sandbox_image = {text(config.sandbox_image)}
  restrict_oom_score_adj = {flag(restrict_oom_score)}
  disable_apparmor = {flag(not apparmor)}
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  max_concurrent_downloads = {config.max_concurrent_downloads}
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true

  [{cri}.containerd]
    snapshotter = {text(snapshotter)}
    default_runtime_name = "runc"

    [{cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [{cri}.containerd.runtimes.runc.options]
        SystemdCgroup = false

  [{cri}.cni]
    bin_dir = {text(bin_dir)}
    conf_dir = {text(config.cni_conf_dir)}
    max_conf_num = 1

  [{cri}.registry]
    config_path = {text(config.registry_config_dir)}
"""


class Containerd:
    """Starts containerd or adopts the one that runs, and watches over it."""

    def __init__(self, config: ContainerdConfig) -> None:
        self.config = config
        self.snapshotter = "overlayfs"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def importer(self) -> Importer:
        """Imports image archives here."""
        return Importer(self.config.socket, self.snapshotter, self.config.directory / "imported.json")

    async def start(self) -> bool:
        """Bring containerd up with the pause image; returns False when one was running already and was adopted."""
        adopted = not await asyncio.to_thread(self._spawn)
        await self._listening()
        stamp = self.config.directory / "pause.stamp"
        if stamp.exists() and adopted:
            return False
        archive = await asyncio.to_thread(build_pause_image, self.config.directory / "pause.tar")
        await self.importer.import_archive(archive)
        stamp.touch()
        return not adopted

    def alive(self) -> bool:
        """Whether it runs."""
        if self._process is not None and self._process.poll() is not None:
            return False
        return _running_pid(self.config) is not None

    def _spawn(self) -> bool:
        directory = self.config.directory
        for program, package in (("containerd", "containerd"), ("runc", "runc"), ("ctr", "containerd")):
            if shutil.which(program) is None:
                raise ContainerdError(f"{program} is missing: install the package {package}")
        if os.geteuid() != 0:
            raise ContainerdError("running containers needs root: start the node with sudo")
        directory.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.config.socket.parent.mkdir(parents=True, exist_ok=True)
        self.config.cni_conf_dir.mkdir(parents=True, exist_ok=True)
        chosen = directory / "snapshotter"
        if not chosen.exists():
            chosen.write_text(choose_snapshotter(directory))
        self.snapshotter = chosen.read_text().strip()
        if _running_pid(self.config) is not None:
            return False
        _end_all(_strays(self.config))  # of a data directory that was deleted underneath it
        apparmor = Path("/sys/kernel/security/apparmor/profiles").exists() and shutil.which("apparmor_parser")
        text = render_config(
            self.config,
            snapshotter=self.snapshotter,
            restrict_oom_score=not has_capability(CAP_SYS_RESOURCE),
            apparmor=bool(apparmor),
        )
        (directory / "config.toml").write_text(text)
        log = directory / "containerd.log"
        if log.exists() and log.stat().st_size > 10 << 20:
            log.replace(directory / "containerd.log.1")
        environment = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["containerd", "--config", str(directory / "config.toml")],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, env=environment, cwd="/",
            )  # fmt: skip
        (directory / "containerd.pid").write_text(str(self._process.pid))
        return True

    async def _listening(self) -> None:
        deadline = time.monotonic() + self.config.start_timeout
        while not _connects(self.config.socket):
            if self._process is not None and (status := self._process.poll()) is not None:
                raise ContainerdError(f"containerd ended with status {status}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ContainerdError(f"containerd does not listen on {self.config.socket}:\n{self.log_tail()}")
            await asyncio.sleep(0.02)

    def log_tail(self, lines: int = 10) -> str:
        """The last lines of its log."""
        try:
            text = (self.config.directory / "containerd.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    async def stop(self) -> None:
        """End everything it runs, and itself."""
        await asyncio.to_thread(teardown, self.config)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def _running_pid(config: ContainerdConfig) -> int | None:
    try:
        pid = int((config.directory / "containerd.pid").read_text())
    except (OSError, ValueError):
        return None
    if str(config.directory / "config.toml") in _command_line(pid) and not _is_zombie(pid):
        return pid
    return None


def _strays(config: ContainerdConfig) -> list[int]:
    """Every containerd that was started with our configuration, whether its pid file is there or not."""
    wanted = str(config.directory / "config.toml")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            line = _command_line(int(entry.name))
            if len(line) >= 3 and Path(line[0]).name == "containerd" and line[1:3] == ["--config", wanted]:
                found.append(int(entry.name))
    return found


def _end_all(pids: list[int]) -> None:
    _end(pids, signal.SIGTERM, 5)
    _end([pid for pid in pids if not _is_zombie(pid)], signal.SIGKILL, 2)


def _shims(config: ContainerdConfig) -> dict[int, str]:
    """Our shims: pid to sandbox id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        line = _command_line(int(entry.name))
        if line and "containerd-shim" in line[0] and str(config.socket) in line and "-id" in line:
            found[int(entry.name)] = line[line.index("-id") + 1]
    return found


def _end(pids: list[int], number: int, timeout: float) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and any(not _is_zombie(pid) for pid in pids):
        for pid in pids:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        time.sleep(0.01)


def _tasks(config: ContainerdConfig) -> list[int]:
    """The processes of our containers: they sit in cgroups below our own root."""
    return processes_below(config.cgroup_root)


def _kill_tasks(config: ContainerdConfig) -> None:
    for _ in range(50):
        pids = _tasks(config)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def teardown(config: ContainerdConfig) -> None:
    """End all pods of a node and leave nothing: no process, mount, network namespace, address, rule or cgroup.

    Idempotent; runs to its end whatever was killed before it.  Sandboxes are stopped through containerd where it
    can be brought up, because only that gives the CNI plugins the chance to undo; without it, what the kernel
    shows is undone directly.
    """
    containerd = Containerd(config)
    namespaces = _network_namespaces(config)
    if config.directory.exists() and has_sandboxes(config):
        try:
            asyncio.run(_stop_everything(containerd))
        except (OSError, RuntimeFailure, ContainerdError, ImageError) as error:
            log.info("containerd cannot help to take the node down: %s", error)  # what is left is undone below
    _end_all(_strays(config))
    shims = _shims(config)
    _kill_tasks(config)
    _end(list(shims), signal.SIGKILL, 3)
    for sandbox in set(shims.values()):
        name = hashlib.sha256(f"{config.socket}/k8s.io/{sandbox}".encode()).hexdigest()
        Path("/run/containerd/s", name).unlink(missing_ok=True)
    if config.pods_dir is not None:
        unmount_below(config.pods_dir)
    _remove_network_namespaces(namespaces)
    unmount_below(config.directory)
    for path in (config.socket, Path(f"{config.socket}.ttrpc"), config.directory / "containerd.pid"):
        path.unlink(missing_ok=True)
    if config.socket.parent != config.directory:
        shutil.rmtree(config.socket.parent, ignore_errors=True)
    remove_tree(config.cgroup_root)


def has_sandboxes(config: ContainerdConfig) -> bool:
    """Whether something may still run: a shim, a process in our cgroups, or a sandbox's directory."""
    sandboxes = config.directory / "root/io.containerd.grpc.v1.cri/sandboxes"
    return bool(_shims(config) or _tasks(config) or (sandboxes.is_dir() and any(sandboxes.iterdir())))


async def _stop_everything(containerd: Containerd) -> None:
    from .cri import CRIRuntime

    await containerd.start()
    runtime = CRIRuntime(str(containerd.config.socket), timeout=20)
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    sandboxes = await runtime.list_sandboxes()
                    break
                except RuntimeFailure:
                    await asyncio.sleep(0.05)
            limit = asyncio.Semaphore(8)

            async def remove(sandbox_id: str) -> None:
                async with limit:
                    try:
                        await runtime.stop_sandbox(sandbox_id)
                        await runtime.remove_sandbox(sandbox_id)
                    except RuntimeFailure:
                        return  # the kernel's side is undone afterwards

            _kill_tasks(containerd.config)
            await asyncio.gather(*(remove(sandbox.id) for sandbox in sandboxes))
    finally:
        await runtime.close()


def _network_namespaces(config: ContainerdConfig) -> set[Path]:
    """The network namespaces that our sandboxes' bundles name."""
    found = set()
    for bundle in (config.state / "io.containerd.runtime.v2.task/k8s.io").glob("*/config.json"):
        try:
            spec = json.loads(bundle.read_text())
        except (OSError, ValueError):
            continue
        for namespace in spec.get("linux", {}).get("namespaces", []):
            path = Path(namespace.get("path", ""))
            if namespace.get("type") == "network" and path.name.startswith("cni-"):
                found.add(path)
    return found


def _remove_network_namespaces(paths: set[Path]) -> None:
    """Remove those that are left after all: where containerd itself could not be asked to."""
    for path in paths:
        if path.exists():
            subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)
            path.unlink(missing_ok=True)


def left_behind(config: ContainerdConfig) -> list[str]:
    """What :func:`teardown` should have removed and is still there; empty after it."""
    found = [f"process {pid}" for pid in [*_shims(config), *_tasks(config)]]
    return found + [f"mount {path}" for path in mounts_below(config.directory)]

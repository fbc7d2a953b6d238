"""Kubeconfig files: reading a context into a :class:`ClientConfig`, and merging a context into a file.

The format is ``v1/Config`` as kubectl reads it (``KUBECONFIG`` may name several files; the first that defines an
entry wins).  :mod:`.credential_plugins` runs credential plugins; what preceded them (``auth-provider``) is refused with
an error, not ignored.
"""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from .credential_plugins import VERSIONS, ExecConfig

SERVICE_ACCOUNT_DIRECTORY = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(ValueError):
    """A kubeconfig cannot be read or lacks what was asked for."""


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach an API server, and as whom.  Certificates and keys are PEM."""

    server: str
    ca_data: bytes = b""
    client_certificate_data: bytes = b""
    client_key_data: bytes = b""
    token: str = ""
    token_file: str = ""
    """Read again when it changes; takes precedence over ``token``."""
    username: str = ""
    password: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    namespace: str = "default"
    exec: ExecConfig | None = None
    """A program that gives a credential; what is named beside it counts where it gives none."""
    user_agent: str = "steersman"
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = ()


def default_paths() -> list[Path]:
    """The files kubectl would read: those of ``$KUBECONFIG``, else ``~/.kube/config``."""
    if variable := os.environ.get("KUBECONFIG", ""):
        return [Path(part) for part in variable.split(os.pathsep) if part]
    return [Path.home() / ".kube" / "config"]


def load(path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (), context: str = "") -> ClientConfig:
    """Read a context (the current one where none is named) from a file, or merged from several.

    Without a path, :func:`default_paths`.  Raises KubeconfigError.
    """
    named = [path] if isinstance(path, str | os.PathLike) else path
    paths = [Path(part) for part in named] or default_paths()
    if not any(file.exists() for file in paths):
        raise KubeconfigError(f"{', '.join(map(str, paths))}: no such kubeconfig file")
    merged: dict[str, Any] = {"clusters": {}, "users": {}, "contexts": {}}
    current = ""
    for file in paths:
        if not file.exists():
            continue
        tree = _read(file)
        current = current or _text(tree.get("current-context"))
        for kind in merged:
            for entry in tree.get(kind) or ():
                merged[kind].setdefault(entry.get("name", ""), (entry, file.parent))
    context = context or current
    if not context:
        raise KubeconfigError(f"no current context in {', '.join(map(str, paths))}")
    chosen = _entry(merged, "contexts", context, "context")[0]
    cluster, cluster_directory = _entry(merged, "clusters", _text(chosen.get("cluster")), "cluster")
    user: Mapping[str, Any] = {}
    user_directory = Path()
    if chosen.get("user"):
        user, user_directory = _entry(merged, "users", _text(chosen.get("user")), "user")
    return _config(chosen, cluster, cluster_directory, user, user_directory)


def loads(text: str | bytes, context: str = "") -> ClientConfig:
    """Read a context from the text of a kubeconfig whose data is inline."""
    with tempfile.TemporaryDirectory(prefix="steersman-") as directory:
        path = Path(directory) / "config"
        path.touch(0o600)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load(path, context)


def in_cluster(
    directory: Path = SERVICE_ACCOUNT_DIRECTORY, environment: Mapping[str, str] = os.environ
) -> ClientConfig:
    """The configuration of a program inside a pod, from its service account's projected volume."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise KubeconfigError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: not inside a cluster")
    token = directory / "token"
    if not token.exists():
        raise KubeconfigError(f"{token}: no service account token")
    namespace = directory / "namespace"
    return ClientConfig(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_data=(directory / "ca.crt").read_bytes(),
        token_file=str(token),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def merge_context(
    path: str | os.PathLike[str], kubeconfig: str | bytes | Mapping[str, Any], name: str, select: bool = True
) -> None:
    """Put the current context of ``kubeconfig`` into the file at ``path``, everything of it called ``name``.

    What the file held under other names stays; what it held under this one is replaced.  The file is replaced
    atomically, mode 0600 and with the owner it had; a symbolic link stays one.
    """
    source = dict(kubeconfig) if isinstance(kubeconfig, Mapping) else _parse(kubeconfig, "kubeconfig")
    indexed: dict[str, Any] = {
        kind: {entry.get("name", ""): (entry, Path()) for entry in source.get(kind) or ()}
        for kind in ("clusters", "users", "contexts")
    }
    context = _entry(indexed, "contexts", _text(source.get("current-context")), "context")[0]
    cluster = _entry(indexed, "clusters", _text(context.get("cluster")), "cluster")[0]
    user = _entry(indexed, "users", _text(context.get("user")), "user")[0] if context.get("user") else {}
    with _changing(Path(path)) as tree:
        _replace(tree, "clusters", name, {"cluster": dict(cluster)})
        _replace(tree, "users", name, {"user": dict(user)})
        _replace(tree, "contexts", name, {"context": {**context, "cluster": name, "user": name}})
        if select or not tree.get("current-context"):
            tree["current-context"] = name


def remove_context(path: str | os.PathLike[str], name: str) -> None:
    """Take out what :func:`merge_context` put in; the file may be missing."""
    if not Path(path).exists():
        return
    with _changing(Path(path)) as tree:
        for kind in ("clusters", "users", "contexts"):
            tree[kind] = [entry for entry in tree.get(kind) or () if entry.get("name") != name]
        if tree.get("current-context") == name:
            tree["current-context"] = ""


def _config(
    context: Mapping[str, Any],
    cluster: Mapping[str, Any],
    cluster_directory: Path,
    user: Mapping[str, Any],
    user_directory: Path,
) -> ClientConfig:
    if user.get("auth-provider"):
        raise KubeconfigError("auth-provider is not supported: Kubernetes has removed it in favour of exec")
    if not cluster.get("server"):
        raise KubeconfigError("the cluster has no server")
    if cluster.get("proxy-url") and not _text(cluster["proxy-url"]).startswith(("http://", "https://")):
        raise KubeconfigError(f'proxy-url: "{cluster["proxy-url"]}" is neither http nor https')
    token_file = _text(user.get("tokenFile"))
    return ClientConfig(
        server=_text(cluster.get("server")).rstrip("/"),
        ca_data=_data(cluster, "certificate-authority", cluster_directory),
        client_certificate_data=_data(user, "client-certificate", user_directory),
        client_key_data=_data(user, "client-key", user_directory),
        token=_text(user.get("token")),
        token_file=str(user_directory / token_file) if token_file else "",
        username=_text(user.get("username")),
        password=_text(user.get("password")),
        exec=_plugin(user["exec"], user_directory, cluster, cluster_directory) if user.get("exec") else None,
        insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=_text(cluster.get("tls-server-name")),
        proxy_url=_text(cluster.get("proxy-url")),
        namespace=_text(context.get("namespace")) or "default",
        impersonate=_text(user.get("as")),
        impersonate_groups=tuple(user.get("as-groups") or ()),
    )


def _plugin(
    tree: Mapping[str, Any], directory: Path, cluster: Mapping[str, Any], cluster_directory: Path
) -> ExecConfig:
    command, api_version = _text(tree.get("command")), _text(tree.get("apiVersion"))
    if not command:
        raise KubeconfigError("command must be specified to use exec authentication plugin")
    if api_version not in VERSIONS:
        raise KubeconfigError(f'exec plugin: invalid apiVersion "{api_version}"')
    if os.sep in command:
        command = str(directory / command)  # otherwise it is searched for as a shell would
    told: dict[str, Any] = {}
    if tree.get("provideClusterInfo"):
        told["server"] = _text(cluster.get("server"))
        if authority := _data(cluster, "certificate-authority", cluster_directory):
            told["certificate-authority-data"] = base64.b64encode(authority).decode()
        for key in ("tls-server-name", "insecure-skip-tls-verify", "proxy-url"):
            if cluster.get(key):
                told[key] = cluster[key]
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                told["config"] = extension.get("extension")
    return ExecConfig(
        command=command,
        args=tuple(_text(each) for each in tree.get("args") or ()),
        env=tuple((_text(each.get("name")), _text(each.get("value"))) for each in tree.get("env") or ()),
        api_version=api_version,
        install_hint=_text(tree.get("installHint")),
        interactive_mode=_text(tree.get("interactiveMode")) or "IfAvailable",
        cluster=tuple(told.items()),
    )


def _data(tree: Mapping[str, Any], key: str, directory: Path) -> bytes:
    if inline := tree.get(f"{key}-data"):
        try:
            return base64.b64decode(_text(inline), validate=True)
        except ValueError as error:
            raise KubeconfigError(f"{key}-data: {error}") from error
    if file := tree.get(key):
        try:
            return (directory / _text(file)).read_bytes()
        except OSError as error:
            raise KubeconfigError(f"{key}: {error}") from error
    return b""


def _entry(merged: Mapping[str, Any], kind: str, name: str, singular: str) -> tuple[Mapping[str, Any], Path]:
    found = merged[kind].get(name)
    if found is None:
        raise KubeconfigError(f'{singular} "{name}" does not exist')
    entry, directory = found
    return entry.get(singular) or {}, directory


def _replace(tree: dict[str, Any], kind: str, name: str, content: dict[str, Any]) -> None:
    entry = {"name": name, **content}
    entries = [*(tree.get(kind) or ())]
    for index, present in enumerate(entries):
        if present.get("name") == name:
            entries[index] = entry
            break
    else:
        entries.append(entry)
    tree[kind] = entries


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _parse(text: str | bytes, origin: str) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{origin}: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise KubeconfigError(f"{origin}: not a kubeconfig")
    for kind in ("clusters", "users", "contexts"):
        entries = tree.get(kind) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise KubeconfigError(f"{origin}: {kind} is not a list of named entries")
    return tree


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parse(path.read_bytes(), str(path))
    except OSError as error:
        raise KubeconfigError(f"{path}: {error}") from error


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, Any]]:
    """The file's content, written back atomically; kubectl's own lock file keeps both from losing a change."""
    path = path.expanduser().resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path.with_name(f"{path.name}.lock")):
        tree = _read(path) if path.exists() else {}
        tree.setdefault("apiVersion", "v1")
        tree.setdefault("kind", "Config")
        tree.setdefault("preferences", {})
        yield tree
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w") as file:
                yaml.safe_dump(tree, file, sort_keys=False)
                file.flush()
                os.fsync(file.fileno())
            owner = path if path.exists() else path.parent
            status = owner.stat()
            if os.geteuid() == 0:
                os.chown(temporary, status.st_uid, status.st_gid)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _locked(lock: Path, patience: float = 5.0) -> Iterator[None]:
    deadline = time.monotonic() + patience
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise KubeconfigError(f"{lock} exists: another program changes the file, or died doing so") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)

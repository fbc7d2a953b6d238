"""Security contexts, profiles and kernel parameters, and what the two operating systems do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from steersman.api import errors
from steersman.api.labels import APP_ARMOR_CONTAINER_PREFIX, SECCOMP_CONTAINER_PREFIX, SECCOMP_POD
from steersman.api.pods import every_container
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults
from .volume_sources import descending_path

_MAX_ID = 2**31 - 1
_PATH_LIMIT = 4095
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")

# -- contexts --------------------------------------------------------------------------------------------------------


def pod_security(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    """What holds for all containers of a pod."""
    place = f"{path}.securityContext"
    context = spec.security_context
    if context is not None and context != _EMPTY:
        faults.between(f"{place}.fsGroup", context.fs_group, 0, _MAX_ID)
        faults.between(f"{place}.runAsUser", context.run_as_user, 0, _MAX_ID)
        faults.between(f"{place}.runAsGroup", context.run_as_group, 0, _MAX_ID)
        for index, group in enumerate(context.supplemental_groups):
            faults.between(f"{place}.supplementalGroups[{index}]", group, 0, _MAX_ID)
    if spec.share_process_namespace and spec.host_pid:
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        faults.invalid(f"{place}.shareProcessNamespace", True, detail)
    if context is None or context == _EMPTY:
        return
    _sysctls(faults, spec, context.sysctls, f"{place}.sysctls")
    faults.one_of(
        f"{place}.fsGroupChangePolicy", context.fs_group_change_policy, ("Always", "OnRootMismatch"), optional=True
    )
    _seccomp(faults, context.seccomp_profile, f"{place}.seccompProfile")
    _windows_options(faults, context.windows_options, f"{place}.windowsOptions")
    app_armor(faults, context.app_armor_profile, f"{place}.appArmorProfile")
    faults.one_of(
        f"{place}.supplementalGroupsPolicy", context.supplemental_groups_policy, ("Merge", "Strict"), optional=True
    )
    # Until SELinuxMount is on by default there is only one way to relabel.
    faults.one_of(f"{place}.seLinuxChangePolicy", context.se_linux_change_policy, ("Recursive",), optional=True)


_EMPTY = v1.PodSecurityContext()


def container_security(faults: Faults, context: v1.SecurityContext, path: str, *, host_users: bool) -> None:
    """What one container may do."""
    faults.between(f"{path}.runAsUser", context.run_as_user, 0, _MAX_ID)
    faults.between(f"{path}.runAsGroup", context.run_as_group, 0, _MAX_ID)
    if context.proc_mount:
        faults.enum(f"{path}.procMount", context.proc_mount, ("Default", "Unmasked"))
        if host_users and context.proc_mount == "Unmasked":
            faults.invalid(f"{path}.procMount", context.proc_mount, "`hostUsers` must be false to use `Unmasked`")
    _seccomp(faults, context.seccomp_profile, f"{path}.seccompProfile")
    if context.allow_privilege_escalation is False:
        no_escalation = "cannot set `allowPrivilegeEscalation` to false and"
        if context.privileged:
            faults.invalid(path, context, f"{no_escalation} `privileged` to true")
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            faults.invalid(path, context, f"{no_escalation} `capabilities.Add` CAP_SYS_ADMIN")
    _windows_options(faults, context.windows_options, f"{path}.windowsOptions")
    app_armor(faults, context.app_armor_profile, f"{path}.appArmorProfile")


_HOST_NETWORK = ("net.",)
_HOST_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def _sysctls(faults: Faults, spec: v1.PodSpec, values: list[v1.Sysctl], path: str) -> None:
    seen: set[str] = set()
    for index, each in enumerate(values):
        place = f"{path}[{index}].name"
        if faults.required(place, each.name):
            before = len(faults)
            faults.grammar(place, each.name, names.sysctl)
            if len(faults) == before and each.name in seen:
                faults.append(errors.duplicate(place, each.name))
        dotted = _dotted(each.name)
        if spec.host_network and dotted.startswith(_HOST_NETWORK):
            faults.invalid(place, each.name, "may not be specified when 'hostNetwork' is true")
        elif spec.host_ipc and dotted.startswith(_HOST_IPC):
            faults.invalid(place, each.name, "may not be specified when 'hostIPC' is true")
        seen.add(each.name)


def _dotted(name: str) -> str:
    """The form with dots; where slashes separate, dots are part of names (``sysctl.d(5)``)."""
    first = next((character for character in name if character in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))


# -- profiles --------------------------------------------------------------------------------------------------------


def _seccomp(faults: Faults, profile: v1.SeccompProfile | None, path: str) -> None:
    if profile is None:
        return
    if not profile.type:
        faults.append(errors.required(f"{path}.type", "type is required when seccompProfile is set"))
    elif profile.type not in _PROFILES:
        faults.append(errors.not_supported(f"{path}.type", profile.type, _PROFILES))
    place = f"{path}.localhostProfile"
    if profile.type == "Localhost":
        if not profile.localhost_profile:
            faults.append(errors.required(place, "must be set when seccomp type is Localhost"))
        else:
            descending_path(faults, profile.localhost_profile, place)
    elif profile.localhost_profile:
        faults.invalid(place, profile, "can only be set when seccomp type is Localhost")


def app_armor(faults: Faults, profile: v1.AppArmorProfile | None, path: str) -> None:
    """An AppArmor profile in a security context (KEP-24)."""
    if profile is None:
        return
    place, local = f"{path}.localhostProfile", profile.localhost_profile
    match profile.type:
        case "Localhost":
            if local and local != local.strip():
                faults.invalid(place, local, "must not be padded with whitespace")
            elif not local:
                faults.append(errors.required(place, "must be set when AppArmor type is Localhost"))
            if len(local.encode()) > _PATH_LIMIT:
                faults.append(errors.too_long(place, _PATH_LIMIT))
        case "RuntimeDefault" | "Unconfined":
            if local:
                faults.invalid(place, local, "can only be set when AppArmor type is Localhost")
        case "":
            faults.append(errors.required(f"{path}.type", "type is required when appArmorProfile is set"))
        case _:
            faults.append(errors.not_supported(f"{path}.type", profile.type, _PROFILES))


def profile_annotations(faults: Faults, annotations: dict[str, str], spec: v1.PodSpec, path: str) -> None:
    """The annotations that profiles were given by before there were fields."""
    if (pod := annotations.get(SECCOMP_POD)) is not None:
        _seccomp_annotation(faults, pod, f"{path}.{SECCOMP_POD}")
    for key, value in annotations.items():
        if key.startswith(SECCOMP_CONTAINER_PREFIX):
            _seccomp_annotation(faults, value, f"{path}.{key}")
    for key, value in annotations.items():
        if not key.startswith(APP_ARMOR_CONTAINER_PREFIX):
            continue
        container = key.removeprefix(APP_ARMOR_CONTAINER_PREFIX)
        if all(each.name != container for each, _ in every_container(spec, "spec")):
            faults.invalid(f"{path}[{key}]", container, "container not found")
        if value not in ("", "runtime/default", "unconfined") and not value.startswith("localhost/"):
            faults.invalid(f"{path}[{key}]", value, f'invalid AppArmor profile name: "{value}"')


def _seccomp_annotation(faults: Faults, value: str, path: str) -> None:
    if value.startswith("localhost/"):
        descending_path(faults, value.removeprefix("localhost/"), path)
    elif value not in ("runtime/default", "docker/default", "unconfined"):
        faults.invalid(path, value, "must be a valid seccomp profile")


_ANNOTATED: dict[str, dict[str, tuple[str, ...]]] = {
    "seccomp": {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")},
    "apparmor": {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)},
}


def _same_profile(faults: Faults, kind: str, annotation: str, profile: Any, path: str) -> None:
    """Where a profile is given twice, it is the same."""
    if profile.type == "Localhost":
        if not annotation.startswith("localhost/"):
            faults.forbidden(f"{path}.type", f"{kind} type in annotation and field must match")
        elif annotation.removeprefix("localhost/") != profile.localhost_profile:
            faults.forbidden(f"{path}.localhostProfile", f"{kind} profile in annotation and field must match")
    elif profile.type in _ANNOTATED[kind] and annotation not in _ANNOTATED[kind][profile.type]:
        faults.forbidden(f"{path}.type", f"{kind} type in annotation and field must match")


def profiles_agree(faults: Faults, annotations: dict[str, str], spec: v1.PodSpec, path: str) -> None:
    """Profiles in annotations and fields do not contradict each other."""
    context = spec.security_context
    if context is not None and context.seccomp_profile is not None and SECCOMP_POD in annotations:
        place = f"{path}.securityContext.seccompProfile"
        _same_profile(faults, "seccomp", annotations[SECCOMP_POD], context.seccomp_profile, place)
    for container, place in every_container(spec, path):
        own = container.security_context
        annotation = annotations.get(f"{SECCOMP_CONTAINER_PREFIX}{container.name}")
        if own is not None and own.seccomp_profile is not None and annotation is not None:
            where = f"{place}.securityContext.seccompProfile"
            _same_profile(faults, "seccomp", annotation, own.seccomp_profile, where)
    if spec.os is not None and spec.os.name == "windows":
        return
    for container, place in every_container(spec, path):
        own = container.security_context
        profile = context.app_armor_profile if context is not None else None
        if own is not None and own.app_armor_profile is not None:
            profile = own.app_armor_profile
        annotation = annotations.get(f"{APP_ARMOR_CONTAINER_PREFIX}{container.name}")
        if profile is not None and annotation is not None:
            _same_profile(faults, "apparmor", annotation, profile, f"{place}.securityContext.appArmorProfile")


# -- user namespaces -------------------------------------------------------------------------------------------------

_WITHOUT_HOST_USERS = "when `hostUsers` is false"


def user_namespace(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    """What a pod with users of its own (KEP-127) cannot share with its host."""
    if spec.host_users is not False:
        return
    for name, value in (("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)):
        if value:
            faults.forbidden(f"{path}.{name}", _WITHOUT_HOST_USERS)
    for container, place in every_container(spec, path):
        if container.volume_devices:
            faults.forbidden(f"{place}.volumeDevices", _WITHOUT_HOST_USERS)


# -- Windows ---------------------------------------------------------------------------------------------------------

_CREDENTIALS_KIB = 64
_DOMAIN_LIMIT = 256
_USER_LIMIT = 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NETBIOS = re.compile(r"""[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}""")
_DNS_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS_DOMAIN = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*", re.ASCII)
_NOT_IN_USERS = re.compile(r'["/\\:;|=,+*?<>@\[\]]')


def _windows_options(faults: Faults, options: v1.WindowsSecurityContextOptions | None, path: str) -> None:
    if options is None:
        return
    if options.gmsa_credential_spec_name:
        place = f"{path}.gmsaCredentialSpecName"
        faults.grammar(place, options.gmsa_credential_spec_name, names.dns1123_subdomain)
    if len(options.gmsa_credential_spec.encode()) > _CREDENTIALS_KIB * 1024:
        detail = f"gmsaCredentialSpec size must be under {_CREDENTIALS_KIB} KiB"
        faults.invalid(f"{path}.gmsaCredentialSpec", options.gmsa_credential_spec, detail)
    if options.run_as_user_name:
        faults.grammar(f"{path}.runAsUserName", options.run_as_user_name, windows_user)


def windows_user(text: str) -> Iterator[str]:
    r"""``DOMAIN\user``; the domain may be absent."""
    if _CONTROL.search(text):
        yield "runAsUserName cannot contain control characters"
        return
    if text.count("\\") > 1:
        yield "runAsUserName cannot contain more than one backslash"
        return
    domain, backslash, user = text.rpartition("\\")
    if len(domain) >= _DOMAIN_LIMIT:
        yield f"runAsUserName's Domain length must be under {_DOMAIN_LIMIT} characters"
    if backslash and not (_NETBIOS.fullmatch(domain) or _DNS_DOMAIN.fullmatch(domain)):
        yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format"
    if not user:
        yield "runAsUserName's User cannot be empty"
    elif len(user) > _USER_LIMIT:
        yield f"runAsUserName's User length must not be longer than {_USER_LIMIT} characters"
    if user and not user.strip(". "):
        yield "runAsUserName's User cannot contain only periods or spaces"
    if _NOT_IN_USERS.search(user):
        yield "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"


def host_processes(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    """Windows containers in the host's namespaces: all of a pod, or none."""
    context = spec.security_context
    whole = None
    if context is not None and context.windows_options is not None:
        whole = context.windows_options.host_process
    among = False
    every = True
    for container, place in every_container(spec, path):
        security = container.security_context
        own = None
        if security is not None and security.windows_options is not None:
            own = security.windows_options.host_process
        if whole is not None and own is not None and whole != own:
            detail = f"pod hostProcess value must be identical if both are specified, was {str(whole).lower()}"
            faults.invalid(f"{place}.securityContext.windowsOptions.hostProcess", own, detail)
        this = whole if own is None else own
        among, every = among or bool(this), every and bool(this)
    if not among:
        return
    if not every:
        detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        faults.invalid(path, "", detail)
    if not spec.host_network:
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        faults.invalid(f"{path}.hostNetwork", False, detail)


_NOT_ON_WINDOWS = "cannot be set for a windows pod"
_LINUX_POD_CONTEXT = {
    "app_armor_profile": "appArmorProfile",
    "se_linux_options": "seLinuxOptions",
    "seccomp_profile": "seccompProfile",
    "fs_group": "fsGroup",
    "fs_group_change_policy": "fsGroupChangePolicy",
    "sysctls": "sysctls",
    "run_as_user": "runAsUser",
    "run_as_group": "runAsGroup",
    "supplemental_groups": "supplementalGroups",
    "supplemental_groups_policy": "supplementalGroupsPolicy",
    "se_linux_change_policy": "seLinuxChangePolicy",
}
_LINUX_POD = {"host_users": "hostUsers", "share_process_namespace": "shareProcessNamespace"}
_LINUX_POD_FLAGS = {"host_pid": "hostPID", "host_ipc": "hostIPC"}
_LINUX_CONTEXT = {
    "app_armor_profile": "appArmorProfile",
    "se_linux_options": "seLinuxOptions",
    "seccomp_profile": "seccompProfile",
    "capabilities": "capabilities",
    "read_only_root_filesystem": "readOnlyRootFilesystem",
    "privileged": "privileged",
    "allow_privilege_escalation": "allowPrivilegeEscalation",
    "proc_mount": "procMount",
    "run_as_user": "runAsUser",
    "run_as_group": "runAsGroup",
}
_UNSET: tuple[Any, ...] = (None, "", [])


def operating_system(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    """The system that a pod is for, and what it may not ask of it."""
    if spec.os is None:
        return
    if not faults.required(f"{path}.os.name", spec.os.name):
        return
    if spec.os.name not in ("linux", "windows"):
        faults.append(errors.not_supported(f"{path}.os", spec.os.name, ("linux", "windows")))
    elif spec.os.name == "linux":
        _linux(faults, spec, path)
    else:
        _windows(faults, spec, path)


def _linux(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    detail = "windows options cannot be set for a linux pod"
    if spec.security_context is not None and spec.security_context.windows_options is not None:
        faults.forbidden(f"{path}.securityContext.windowsOptions", detail)
    for container, place in every_container(spec, path):
        if container.security_context is not None and container.security_context.windows_options is not None:
            faults.forbidden(f"{place}.securityContext.windowsOptions", detail)


def _windows(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    if spec.security_context is not None:
        _none_set(faults, spec.security_context, _LINUX_POD_CONTEXT, f"{path}.securityContext")
    _none_set(faults, spec, _LINUX_POD, path)
    for attribute, name in _LINUX_POD_FLAGS.items():
        if getattr(spec, attribute):
            faults.forbidden(f"{path}.{name}", _NOT_ON_WINDOWS)
    for container, place in every_container(spec, path):
        if container.security_context is not None:
            _none_set(faults, container.security_context, _LINUX_CONTEXT, f"{place}.securityContext")


def _none_set(faults: Faults, obj: Any, members: dict[str, str], path: str) -> None:
    """Not even to false."""
    for attribute, name in members.items():
        if getattr(obj, attribute) not in _UNSET:
            faults.forbidden(f"{path}.{name}", _NOT_ON_WINDOWS)

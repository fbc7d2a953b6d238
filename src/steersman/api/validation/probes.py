"""Probes and lifecycle hooks of containers."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults

_HANDLERS = {"exec": "exec", "http_get": "httpGet", "tcp_socket": "tcpSocket"}
_PROBES = {**_HANDLERS, "grpc": "grpc"}
_HOOKS = {**_HANDLERS, "sleep": "sleep"}
_TIMES = {
    "initial_delay_seconds": "initialDelaySeconds",
    "timeout_seconds": "timeoutSeconds",
    "period_seconds": "periodSeconds",
    "success_threshold": "successThreshold",
    "failure_threshold": "failureThreshold",
}
_SCHEMES = ("HTTP", "HTTPS")

_SIGNALS = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT RTMAX RTMIN SEGV STKFLT STOP SYS "
    "TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"
)
_REAL_TIME = [*(f"RTMIN+{number}" for number in range(1, 16)), *(f"RTMAX-{number}" for number in range(1, 15))]
LINUX_SIGNALS = tuple(sorted(f"SIG{name}" for name in (*_SIGNALS.split(" "), *_REAL_TIME)))
WINDOWS_SIGNALS = ("SIGKILL", "SIGTERM")


def container_probes(faults: Faults, container: v1.Container, path: str, spec: v1.PodSpec) -> None:
    """The hooks and probes of a container that may have them."""
    grace_period = spec.termination_grace_period_seconds
    if container.lifecycle is not None:
        _lifecycle(faults, container.lifecycle, f"{path}.lifecycle", spec)
    for name, probe in (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe is None:
            continue
        place = f"{path}.{name}"
        _probe(faults, probe, place, grace_period)
        if name == "readinessProbe":
            if probe.termination_grace_period_seconds is not None:
                faults.invalid(
                    f"{place}.terminationGracePeriodSeconds",
                    probe.termination_grace_period_seconds,
                    "must not be set for readinessProbes",
                )
        elif probe.success_threshold != 1:
            faults.invalid(f"{place}.successThreshold", probe.success_threshold or 0, "must be 1")


def _probe(faults: Faults, probe: v1.Probe, path: str, grace_period: int | None) -> None:
    _handler(faults, probe, path, _PROBES, grace_period)
    for attribute, name in _TIMES.items():
        value = getattr(probe, attribute)
        if value is not None and value < 0:
            faults.natural(f"{path}.{name}", value)
    faults.positive(f"{path}.terminationGracePeriodSeconds", probe.termination_grace_period_seconds)


def _lifecycle(faults: Faults, lifecycle: v1.Lifecycle, path: str, spec: v1.PodSpec) -> None:
    for name, handler in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if handler is not None:
            _handler(faults, handler, f"{path}.{name}", _HOOKS, spec.termination_grace_period_seconds)
    if lifecycle.stop_signal:
        _stop_signal(faults, lifecycle.stop_signal, f"{path}.stopSignal", spec.os)


def _stop_signal(faults: Faults, signal: str, path: str, os: v1.PodOS | None) -> None:
    if os is None:
        faults.forbidden(path, "may not be set for containers with empty `spec.os.name`")
        return
    known = {"linux": LINUX_SIGNALS, "windows": WINDOWS_SIGNALS}.get(os.name)
    if known is not None and signal not in known:
        faults.append(errors.not_supported(path, signal, known))


def _handler(faults: Faults, handler: Any, path: str, kinds: dict[str, str], grace_period: int | None) -> None:
    """Exactly one action, of a probe or a hook."""
    match faults.exactly_one(path, handler, kinds, "a handler type"):
        case "exec":
            faults.required(f"{path}.exec.command", handler.exec.command)
        case "http_get":
            _http_get(faults, handler.http_get, f"{path}.httpGet")
        case "tcp_socket":
            faults.port(f"{path}.tcpSocket.port", handler.tcp_socket.port)
        case "grpc":
            faults.port(f"{path}.grpc.port", handler.grpc.port)
        case "sleep":
            seconds = handler.sleep.seconds
            if grace_period is not None and not 0 <= seconds <= grace_period:
                detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_period})"
                faults.invalid(f"{path}.sleep", seconds, detail)


def _http_get(faults: Faults, action: v1.HTTPGetAction, path: str) -> None:
    faults.required(f"{path}.path", action.path)
    faults.port(f"{path}.port", action.port)
    if action.scheme not in _SCHEMES:
        faults.append(errors.not_supported(f"{path}.scheme", action.scheme, _SCHEMES))
    for header in action.http_headers:
        faults.grammar(f"{path}.httpHeaders", header.name, names.http_header_name)

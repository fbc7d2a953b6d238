"""``steersman up --foreground``: the supervisor takes this process's place."""

from __future__ import annotations

import os

from . import process
from .config import ClusterConfig, ConfigError
from .up import prepare


def run(config: ClusterConfig) -> None:
    """Check, then become the supervisor; SIGTERM and SIGINT end the cluster's processes."""
    claim = prepare(config)
    if claim is not None:
        os.set_inheritable(claim, True)
        command = process.supervisor_command(config.root)
        os.execv(command[0], command)  # noqa: S606 - our own interpreter
    state = process.supervisor(config.root)
    by = f", supervised by process {state.pid}" if state is not None else ""
    raise ConfigError(f"this cluster runs already{by}; end it with: steersman down --data-dir {config.root}")

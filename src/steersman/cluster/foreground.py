"""``steersman up --foreground``: the supervisor takes this process's place."""

from __future__ import annotations

import os

from . import process
from .config import ClusterConfig, ConfigError
from .up import prepare


def run(config: ClusterConfig) -> None:
    """Check, then become the supervisor; SIGTERM and SIGINT end the cluster's processes."""
    if (state := process.supervisor(config.root)) is not None:
        raise ConfigError(f"this cluster runs already, supervised by process {state.pid}; end it with: steersman down")
    prepare(config)
    command = process.supervisor_command(config.root)
    os.execv(command[0], command)  # noqa: S606 - our own interpreter

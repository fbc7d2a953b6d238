"""Show a process's log file, as ``tail`` does."""

from __future__ import annotations

import os
import time
from collections import deque

import click

from .config import ClusterConfig, ConfigError

POLL = 0.2
"""Seconds between looks at a log that is followed."""


def show(config: ClusterConfig, process: str, *, lines: int, follow: bool) -> None:
    """Print the last lines of a process's log, then, when following, what is added; a file begun anew is noticed."""
    path = config.root / f"logs/{process}.log"
    if not path.exists():
        raise ConfigError(f"{path} is not there: the {process} has never run")
    with path.open(errors="replace") as file:
        for line in deque(file, maxlen=lines):
            click.echo(line, nl=False)
        while follow:
            _rewind_if_truncated(file.fileno())
            while line := file.readline():
                click.echo(line, nl=False)
            time.sleep(POLL)


def _rewind_if_truncated(descriptor: int) -> None:
    if os.lseek(descriptor, 0, os.SEEK_CUR) > os.fstat(descriptor).st_size:
        os.lseek(descriptor, 0, os.SEEK_SET)

"""Clusters of a test run that was killed: their bridges and rules would be in the way of every later run."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import STEERSMAN, run

SCRATCH = Path("/tmp")
PREFIX = "steersman-e2e-"
_OWNER = "owner"


@contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Say, for as long as this process lives, that a scratch directory is in use."""
    with (directory / _OWNER).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def end_deserted_clusters(scratch: Path) -> None:
    """End the clusters in the directories of dead runs, with what they made outside, and remove the directories."""
    for owner in scratch.glob(f"{PREFIX}*/{_OWNER}"):
        with owner.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for cluster in owner.parent.iterdir():
                if (cluster / "pki").is_dir():
                    run(STEERSMAN, "down", "--data-dir", str(cluster), "--delete-data", timeout=60)
            shutil.rmtree(owner.parent, ignore_errors=True)

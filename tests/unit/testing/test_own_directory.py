"""No directory outlives its cluster for long, and none goes before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from steersman.testing.own_directory import LOCK, PREFIX, OwnDirectory, sweep

OWNER = "from steersman.testing.own_directory import OwnDirectory as D; d = D(); print(d.path, flush=True); input()"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def age(directory: Path) -> None:
    os.utime(directory / LOCK, (0, 0))


def test_what_a_killed_process_left_goes_with_the_next(temporary: Path) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert killed.stdin is not None
    assert killed.stdout is not None
    with killed, killed.stdin, killed.stdout:
        left = Path(killed.stdout.readline().strip())
        (left / "pki").mkdir()
        age(left)
        OwnDirectory().remove()
        assert left.is_dir()  # its owner lives
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    OwnDirectory().remove()
    assert not left.exists()


def test_what_is_being_made_or_is_another_thing_stays(temporary: Path) -> None:
    made, other, mine = temporary / f"{PREFIX}made", temporary / f"{PREFIX}other", OwnDirectory()
    for directory in (made, other):
        directory.mkdir()
    (made / LOCK).touch()
    age(mine.path)
    OwnDirectory().remove()
    assert {made, other, mine.path} == {*temporary.iterdir()}
    mine.remove()
    assert {made, other} == {*temporary.iterdir()}


def test_what_can_never_be_read_is_not_waited_for(temporary: Path) -> None:
    theirs = temporary / f"{PREFIX}theirs"
    theirs.mkdir()
    os.mkfifo(theirs / LOCK)
    sweeping = threading.Thread(target=sweep, daemon=True)
    sweeping.start()
    sweeping.join(5)
    assert not sweeping.is_alive()

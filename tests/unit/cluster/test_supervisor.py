"""The supervisor, with real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steersman.cluster.supervisor import Child

PROGRAM = """
import sys
from pathlib import Path
from steersman.cluster.supervisor import Child, supervise
root = Path(sys.argv[1])
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
supervise([Child("one", sleeper, root / "one.log"), Child("two", sleeper, None)], root / "state.json")
"""


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Supervised:
    def __init__(self, root: Path) -> None:
        self.state_file = root / "state.json"
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(root)])

    def child(self, name: str) -> dict[str, int]:
        try:
            return dict(json.loads(self.state_file.read_text())["children"][name])
        except (FileNotFoundError, KeyError):
            return {"pid": 0, "restarts": 0}


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    result = Supervised(tmp_path)
    until(lambda: result.child("one")["pid"] and result.child("two")["pid"])
    yield result
    result.process.kill()
    result.process.wait()


def test_a_killed_child_comes_back_and_its_sibling_stays(supervised: Supervised) -> None:
    one, two = supervised.child("one")["pid"], supervised.child("two")["pid"]
    os.kill(one, signal.SIGKILL)
    until(lambda: supervised.child("one")["restarts"] == 1 and supervised.child("one")["pid"] not in {0, one})
    assert supervised.child("two") == {"pid": two, "restarts": 0}


def test_sigterm_ends_everything(supervised: Supervised) -> None:
    pids = [supervised.child(name)["pid"] for name in ("one", "two")]
    supervised.process.terminate()
    assert supervised.process.wait(5) == 0
    assert not any(alive(pid) for pid in pids)
    assert not supervised.state_file.exists()


def test_children_do_not_outlive_a_killed_supervisor(supervised: Supervised) -> None:
    pids = [supervised.child(name)["pid"] for name in ("one", "two")]
    supervised.process.kill()
    supervised.process.wait()
    until(lambda: not any(alive(pid) for pid in pids))


def test_a_long_log_begins_anew_under_a_process_that_holds_it_open(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    child = Child("child", ["/bin/true"], log)
    with log.open("ab") as held:
        held.write(b"x" * 100)
        held.flush()
        child.bound_log(limit=1000)
        assert log.stat().st_size == 100
        child.bound_log(limit=50)
        held.write(b"after")
        held.flush()
    assert log.read_bytes() == b"after"
    assert (tmp_path / "child.log.1").read_bytes() == b"x" * 100


def test_a_child_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from steersman.cluster.supervisor import Child, supervise
root = Path(sys.argv[1])
supervise([Child("late", [str(root / "program")], root / "late.log")], root / "state.json")
"""
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as supervisor:
        state = tmp_path / "state.json"
        until(lambda: state.exists() and json.loads(state.read_text())["children"]["late"]["restarts"] >= 1)
        (tmp_path / "program").write_text("#!/bin/sh\nexec sleep 600\n")
        (tmp_path / "program").chmod(0o755)
        until(lambda: json.loads(state.read_text())["children"]["late"]["pid"])
        supervisor.terminate()
        assert supervisor.wait(10) == 0

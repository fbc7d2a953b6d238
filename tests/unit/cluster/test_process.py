"""Who may supervise a data directory, with real processes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steersman.cluster import config as configuration
from steersman.cluster import lock, process, up
from steersman.cluster.config import ConfigError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Stands for a supervisor: a process that inherits the claim."""
    claim = process.claim(tmp_path)
    assert claim is not None
    with subprocess.Popen(SLEEPER, pass_fds=(claim,)) as child:
        os.close(claim)
        yield child
        child.kill()


def test_the_claim_lasts_as_long_as_its_heir(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    assert process.claimed(tmp_path)
    assert process.claim(tmp_path) is None
    sleeper.kill()
    sleeper.wait()
    assert not process.claimed(tmp_path)
    again = process.claim(tmp_path)
    assert again is not None
    os.close(again)


def test_a_directory_that_is_not_there_is_not_claimed(tmp_path: Path) -> None:
    assert not process.claimed(tmp_path / "nothing")


def test_a_state_file_of_a_dead_supervisor_is_not_believed(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER) as stranger:
        (tmp_path / "run").mkdir()
        (tmp_path / "run/supervisor.json").write_text(json.dumps({"pid": stranger.pid, "children": {}}))
        assert process.supervisor(tmp_path) is None
        assert not process.stop_supervisor(tmp_path)
        assert stranger.poll() is None
        stranger.kill()


def test_a_running_cluster_refuses_other_settings(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    config = configuration.resolve(tmp_path, node_address="192.0.2.4", secure_port=7443)
    configuration.save(config)
    changed = configuration.resolve(tmp_path, secure_port=8443)
    with pytest.raises(ConfigError, match="secure-port is 7443, not 8443"):
        up.up(changed, print)
    assert sleeper.poll() is None
    assert configuration.load(tmp_path) == config


def test_a_server_that_is_ending_is_waited_for(tmp_path: Path) -> None:
    config = configuration.resolve(tmp_path, node_address="192.0.2.4")
    program = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('locked', flush=True); time.sleep(0.3)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "server.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        with pytest.raises(ConfigError, match="another server works with"), lock.held(config):
            pass
        started = time.monotonic()
        with lock.held(config, patience=10):
            assert time.monotonic() - started < 10

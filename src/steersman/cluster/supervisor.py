"""Keeps child processes alive: the process behind ``steersman up``.  The standard library alone, and little of it.

It watches nothing but signals, and writes one state file.  A child that ends is started again, after a delay that
doubles while it keeps failing.  SIGTERM ends the children in reverse order and then the supervisor.  When the
supervisor is killed the kernel ends its children (parent-death signal); containers are not its children and go on,
and the next ``up`` takes them over.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
HEALTHY_AFTER = 10.0
"""Seconds after which a child counts as started, so that the delay begins anew."""

LOG_LIMIT = 16 * 1024 * 1024
"""Bytes after which a log begins anew; what it held is kept once, beside it."""

LOG_PERIOD = 60.0
"""Seconds between looks at the logs' sizes."""

STOP_TIMEOUT = 10.0
"""Seconds that a child has between SIGTERM and SIGKILL."""

SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_PR_SET_PDEATHSIG = 1


class Child:
    """A process to keep alive; its output is appended to ``log_file``.

    ``start_at`` is the monotonic time of the next start while it does not run.
    """

    def __init__(self, name: str, command: Sequence[str], log_file: Path | None) -> None:
        self.name = name
        self.command = command
        self.log_file = log_file
        self.restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0
        self._started = 0.0
        self._delay = FIRST_DELAY

    def start(self) -> None:
        """Start the process now; raises OSError where that cannot be."""
        self._started = time.monotonic()
        output = None
        if self.log_file is not None:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            output = self.log_file.open("ab")
        try:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_prepare,
            )
        finally:
            if output is not None:
                output.close()
        _say(f"{self.name} started, pid {self.process.pid}")

    def ended(self) -> bool:
        """Notice that the process has ended, and decide when it starts again."""
        if self.process is None or (code := self.process.poll()) is None:
            return False
        now = time.monotonic()
        if now - self._started > HEALTHY_AFTER:
            self._delay = FIRST_DELAY
        self.process = None
        self.postpone(f"ended with {_reason(code)}")
        return True

    def postpone(self, why: str) -> None:
        """Start it again later."""
        _say(f"{self.name} {why}; starting it again in {self._delay:.1f} s")
        self.restarts += 1
        self.start_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def bound_log(self, limit: int = LOG_LIMIT) -> None:
        """Begin the log anew where it has grown too long: in place, because the process holds the file open."""
        if self.log_file is None:
            return
        try:
            if self.log_file.stat().st_size > limit:
                shutil.copyfile(self.log_file, self.log_file.with_suffix(".log.1"))
                os.truncate(self.log_file, 0)
        except OSError as error:
            _say(f"cannot shorten {self.log_file}: {error}")

    def end(self) -> None:
        """End the process, by force where it takes too long."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            _say(f"{self.name} did not end within {STOP_TIMEOUT:.0f} s and is killed")
            process.kill()
            process.wait()


def supervise(children: Sequence[Child], state_file: Path | None = None) -> None:
    """Keep the children alive until SIGTERM or SIGINT, then end them, last first."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    look_at_logs = 0.0
    try:
        while True:
            now = time.monotonic()
            changed = False
            for child in children:
                changed |= child.ended()
                if child.process is None and child.start_at <= now:
                    try:
                        child.start()
                    except OSError as error:  # a full disk, no memory: no reason to end those that run
                        child.postpone(f"cannot be started: {error}")
                    changed = True
            if changed and state_file is not None:
                try:
                    _tell(children, state_file)
                except OSError as error:
                    _say(f"cannot write {state_file}: {error}")
            if now >= look_at_logs:
                look_at_logs = now + LOG_PERIOD
                for child in children:
                    child.bound_log()
            waiting = [child.start_at - now for child in children if child.process is None]
            received = signal.sigtimedwait(SIGNALS, max(0.0, min([*waiting, look_at_logs - now])))
            if received is not None and received.si_signo != signal.SIGCHLD:
                return
    finally:
        for child in reversed(children):
            child.end()
        if state_file is not None:
            state_file.unlink(missing_ok=True)


def _prepare() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _end_with_parent()


def _end_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _tell(children: Sequence[Child], state_file: Path) -> None:
    state = {
        "pid": os.getpid(),
        "children": {
            child.name: {"pid": child.process.pid if child.process else 0, "restarts": child.restarts}
            for child in children
        },
    }
    state_file.parent.mkdir(parents=True, exist_ok=True)
    temporary = state_file.with_suffix(".new")
    temporary.write_text(json.dumps(state))
    temporary.replace(state_file)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), text, file=sys.stderr, flush=True)


def main() -> None:
    """Keep a cluster alive: ``python -m steersman.cluster.supervisor DATA_DIR [server] [agent]``."""
    data_dir, names = Path(sys.argv[1]), sys.argv[2:]
    if names:  # started by a server, which it must not outlive: the next server starts one of its own
        _end_with_parent()
    program = [sys.executable, "-m", "steersman.cli.main"]
    commands = {"server": ["server", "--disable-node"], "agent": ["agent"]}
    children = [
        Child(name, [*program, *arguments, "--data-dir", str(data_dir)], data_dir / f"logs/{name}.log")
        for name, arguments in commands.items()
        if not names or name in names
    ]
    supervise(children, data_dir / "run/supervisor.json")


if __name__ == "__main__":
    main()

"""``python -m bench``."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import click
import msgspec

from . import machine, report
from .processes import Processes
from .result import Row, Run, Skipped
from .rows import GROUPS
from .setting import Setting, Unavailable

NAMES = [name for group in GROUPS for name in group.names]


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Rows: " + ", ".join(NAMES))
@click.argument("rows", nargs=-1, metavar="[ROW]...", type=click.Choice(NAMES))
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the numbers there too."
)
def main(rows: tuple[str, ...], json_file: Path | None) -> None:
    """Measure this build, with the machine's yardsticks beside it."""
    signal.signal(signal.SIGTERM, _end)
    started = time.monotonic()
    wanted = frozenset(rows or NAMES)
    found: list[Row] = []
    skipped: list[Skipped] = []
    failed = False
    # Short: sockets lie below, whose paths have at most 107 characters.
    directory = Path(tempfile.mkdtemp(prefix="steersman-bench-", dir="/var/tmp"))
    with Processes() as processes:
        try:
            _say("taking the machine's measure")
            yardsticks = machine.yardsticks(processes, directory)
            setting = Setting(directory, processes, _say, wanted)
            for group in GROUPS:
                names = [name for name in group.names if name in wanted]
                if not names:
                    continue
                try:
                    for row in group.measure(setting):
                        if row.name in wanted:
                            found.append(row)  # noqa: PERF401 - those before a failure stay
                except Unavailable as reason:
                    done = {row.name for row in found}
                    skipped += [Skipped(name, str(reason)) for name in names if name not in done]
                except RuntimeError as problem:
                    failed = True
                    done = {row.name for row in found}
                    skipped += [Skipped(name, f"failed: {problem}") for name in names if name not in done]
        finally:
            _say("")
            shutil.rmtree(directory, ignore_errors=True)
    run = Run(
        time=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        commit=machine.commit(),
        machine=machine.describe(),
        yardsticks=yardsticks,
        rows=found,
        skipped=skipped,
        seconds=time.monotonic() - started,
    )
    report.show(run)
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")
    sys.exit(1 if failed else 0)


def _say(text: str) -> None:
    """What goes on, on a line that the next text replaces; nothing where nobody looks at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

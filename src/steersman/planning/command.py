"""``steersman simulate``: from a file to what is printed and drawn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.markup import escape

from steersman.apiserver.endpoints.yaml_text import to_yaml

from . import picture, tables
from . import scenario as scenarios
from .faults import ScenarioError
from .report import Report
from .simulation import simulate


def run(path: Path, *, output: str, pictures: Sequence[Path], resource: str, seed: int) -> None:
    """Carry a scenario out.  Raises ScenarioError."""
    for file in pictures:
        picture.check(file)
    try:
        report = _answer(path, seed)
    except ScenarioError as error:
        raise error.below(str(path)) from error
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n")
    elif output == "yaml":
        sys.stdout.write(to_yaml(msgspec.to_builtins(report)).decode())
    else:
        tables.show(report, Console(highlight=False, soft_wrap=False))
    for file in pictures:
        picture.draw(report, file, resource)


def _answer(path: Path, seed: int) -> Report:
    wanted = scenarios.load(path)
    with Console(stderr=True).status("starting") as status:  # which shows nothing where nobody looks

        def say(title: str, seconds: float) -> None:
            passed = f", {tables.duration(seconds)}" if seconds else ""
            status.update(f"{escape(title)}{passed}")

        return uvloop.run(simulate(wanted, seed=seed, say=say))

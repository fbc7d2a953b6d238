"""Stages by name, or from a file."""

from __future__ import annotations

import os
from pathlib import Path

from .chaos import chaos
from .fast import FAST
from .general import GENERAL
from .stage import Stage
from .stage_files import load_stages, load_usages
from .usage import UsageRule

DEFAULT_STAGES = FAST

PROFILES = {"fast": FAST, "general": GENERAL, "chaos": chaos()}


def stages_of(*names: str | os.PathLike[str]) -> tuple[Stage, ...]:
    """The stages of profiles, files and directories; of a kind for which there are none, the default ones.

    A stage of a file takes the place of one before it that is called the same.  Raises ValueError, OSError.
    """
    found: dict[tuple[tuple[str, str], str], Stage] = {}
    profile = ""
    for name in names:
        if not isinstance(name, str | os.PathLike):
            raise TypeError(f"{name!r} is no name of stages: write such as stages_of('general', 'mine.yaml')")
        if name in PROFILES:
            if profile:
                raise ValueError(f"stages {profile!r} and {name!r} exclude each other")
            profile = str(name)
            stages = PROFILES[profile]
        else:
            stages = load_stages(_path(name))
        found |= {(stage.is_of, stage.name): stage for stage in stages}
    kinds = {kind for kind, _ in found}
    return (*found.values(), *(stage for stage in DEFAULT_STAGES if stage.is_of not in kinds))


def usages_of(*names: str | os.PathLike[str]) -> tuple[UsageRule, ...]:
    """What files say of the use of resources; raises ValueError, OSError."""
    return tuple(rule for name in names if name not in PROFILES for rule in load_usages(_path(name)))


def _path(name: str | os.PathLike[str]) -> Path:
    if not str(name) or not Path(name).exists():
        raise ValueError(f"there are no stages {str(name)!r}; choose of {', '.join(PROFILES)}, or name a file")
    return Path(name)

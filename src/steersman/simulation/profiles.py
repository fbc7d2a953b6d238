"""Stages by name, or from a file."""

from __future__ import annotations

from pathlib import Path

from .chaos import chaos
from .fast import FAST
from .general import GENERAL
from .stage import Stage
from .stage_files import load_stages, load_usages
from .usage import UsageRule

DEFAULT_STAGES = FAST

PROFILES = {"fast": FAST, "general": GENERAL, "chaos": chaos()}


def stages_of(*names: str) -> tuple[Stage, ...]:
    """The stages of profiles and files; of a kind for which there are none, the default ones.  Raises ValueError."""
    found: list[Stage] = []
    for name in names:
        if name in PROFILES:
            found += PROFILES[name]
        elif Path(name).exists():
            found += load_stages(Path(name))
        else:
            raise ValueError(f"there are no stages {name!r}; choose of {', '.join(PROFILES)}, or name a file")
    kinds = {stage.kind for stage in found}
    return (*found, *(stage for stage in DEFAULT_STAGES if stage.kind not in kinds))


def usages_of(*names: str) -> tuple[UsageRule, ...]:
    """What files say of the use of resources; raises ValueError."""
    return tuple(rule for name in names if name not in PROFILES for rule in load_usages(Path(name)))

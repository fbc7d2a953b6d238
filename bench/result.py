"""What a run found out."""

from __future__ import annotations

from typing import Literal

import msgspec

Better = Literal["higher", "lower"]


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number.  ``budget`` 0 where none is set; ``note`` tells what else one needs to know to judge it."""

    name: str
    value: float
    unit: str
    budget: float = 0.0
    better: Better = "higher"
    note: str = ""

    @property
    def ratio(self) -> float:
        """How well the budget is kept: 1.0 exactly, 2.0 twice as well."""
        if not self.budget or not self.value:
            return 0.0
        return self.value / self.budget if self.better == "higher" else self.budget / self.value


class Skipped(msgspec.Struct, frozen=True):
    """Rows that could not be measured here, and why."""

    name: str
    reason: str


class Run(msgspec.Struct, frozen=True):
    """Everything that one run says."""

    time: str
    commit: str
    machine: dict[str, str]
    yardsticks: list[Row]
    rows: list[Row]
    skipped: list[Skipped]
    seconds: float

"""A run as a table for people."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from .result import Row, Run


def number(value: float) -> str:
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(run: Run) -> None:
    """Print a run; without colours and frames where nobody looks at a terminal."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items() if value)
    console.print(f"{run.time}  commit {run.commit or '?'}  {facts}", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("row", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("budget", "right"),
        ("ratio", "right"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("note", style="dim")
    for row in run.rows:
        table.add_row(*cells(row))
    for skipped in run.skipped:
        table.add_row(skipped.name, "-", "", "", "", f"skipped: {skipped.reason}")
    table.add_section()
    for row in run.yardsticks:
        table.add_row(*cells(row), style="dim")
    console.print(table)
    console.print(
        f"A ratio above 1 keeps the budget.  The last lines are the machine's own.  {run.seconds:.0f} s in all."
    )


def cells(row: Row) -> list[str]:
    """One line of the table."""
    budget = number(row.budget) if row.budget else ""
    style = "" if not row.ratio else "green" if row.ratio >= 1 else "red"
    ratio = f"[{style}]{row.ratio:.2f}[/]" if style else ""
    return [row.name, number(row.value), row.unit, budget, ratio, row.note]

"""The answer as people read it in a terminal, however narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .report import NodeUse, Report, Step, Unscheduled, WorkloadUse, ZoneUse

WIDE = 100
NARROW = 72
MOST_NODES = 24

REASONS = {
    "DeletionByTaintManager": "evicted from nodes that were given up",
    "EvictionByEvictionAPI": "evicted by the drain",
    "DeletionByPodGC": "deleted with their nodes",
}


def show(report: Report, console: Console) -> None:
    """Print the answer."""
    console.print(Text(report.scenario, style="bold"))
    console.print(_summary(report, console.width))
    for step in report.steps:
        console.print(_step(step, console.width))
    console.print(_nodes(report.steps[-1].nodes, console.width))


def duration(seconds: float) -> str:
    """``6m10s``."""
    whole = round(seconds)
    if seconds < 10 and seconds != whole:
        return f"{seconds:.1f}s"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def percent(part: int, whole: int) -> str:
    """How much of what there is; a dash where there is nothing."""
    return f"{part / whole:.0%}" if whole else "-"


def _table(*columns: tuple[str, str], title: str = "") -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, show_edge=False)
    for name, justify in columns:
        right = justify == "right"
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _total(zones: Iterable[ZoneUse], resource: str) -> str:
    known = list(zones)
    requested = sum(zone.requested.get(resource, 0) for zone in known)
    return percent(requested, sum(zone.allocatable.get(resource, 0) for zone in known))


def _summary(report: Report, width: int) -> RenderableType:
    columns = [("event", "left"), ("pods ready", "right"), ("pending", "right"), ("evicted", "right")]
    if width >= NARROW:
        columns[1:1] = [("took", "right"), ("nodes", "right")]
        columns += [("cpu", "right"), ("memory", "right")]
    if width >= WIDE:
        columns.insert(0, ("at", "right"))
    table = _table(*columns)
    for step in report.steps:
        cells: dict[str, RenderableType] = {
            "at": duration(step.at),
            "event": Text(step.title),
            "took": duration(step.took) if step.settled else f"{duration(step.took)} …",
            "nodes": f"{sum(zone.ready for zone in step.zones)}/{sum(zone.nodes for zone in step.zones)}",
            "pods ready": _ready(step.workloads),
            "pending": _count(sum(each.pending for each in step.workloads), "red"),
            "evicted": _count(step.evicted, "yellow"),
            "cpu": _total(step.zones, "cpu"),
            "memory": _total(step.zones, "memory"),
        }
        table.add_row(*(cells[name] for name, _ in columns))
    return table


def _ready(workloads: Sequence[WorkloadUse]) -> Text:
    ready, wanted = sum(each.ready for each in workloads), sum(each.wanted for each in workloads)
    return Text(f"{ready}/{wanted}", style="green" if ready >= wanted else "red")


def _count(number: int, style: str) -> Text:
    return Text(str(number), style=style if number else "dim")


def _step(step: Step, width: int) -> RenderableType:
    parts: list[RenderableType] = [Text.assemble("\n", (step.title, "bold"), f"  at {duration(step.at)}")]
    parts += [Padding(Text(line), (0, 0, 0, 2), expand=False) for line in _story(step)]
    parts.append(Padding(_zones(step.zones, width), (1, 0, 0, 2), expand=False))
    parts.append(Padding(_workloads(step.workloads, width), (1, 0, 0, 2), expand=False))
    parts += [Padding(_refusal(each), (1, 0, 0, 2), expand=False) for each in step.unscheduled]
    return Group(*parts)


def _story(step: Step) -> list[str]:
    lines = []
    if step.silenced is not None:
        lines.append(f"the last node that failed was given up after {duration(step.silenced)}")
    for each in step.evictions:
        when = f"after {duration(each.first)}" if each.last else "at once"
        if each.last > each.first:
            when += f" to {duration(each.last)}"
        lines.append(f"{each.pods} of {each.workload} {REASONS.get(each.reason, each.reason)} {when}")
    if not step.settled:
        lines.append("not all that it set off is over")
    return lines + step.notes


def _zones(zones: Sequence[ZoneUse], width: int) -> Table:
    columns = [("zone", "left"), ("nodes", "right"), ("pods", "right"), ("cpu", "right"), ("memory", "right")]
    if width < NARROW:
        columns.pop(2)
    table = _table(*columns)
    for zone in zones:
        cells: dict[str, RenderableType] = {
            "zone": zone.name or "(none)",
            "nodes": Text(f"{zone.ready}/{zone.nodes}", style="" if zone.ready == zone.nodes else "red"),
            "pods": str(zone.pods),
            "cpu": _use(zone, "cpu", 1000, "", width),
            "memory": _use(zone, "memory", 1 << 30, " Gi", width),
        }
        table.add_row(*(cells[name] for name, _ in columns))
    return table


def _use(use: ZoneUse | NodeUse, resource: str, unit: int, suffix: str, width: int) -> str:
    requested, allocatable = use.requested.get(resource, 0), use.allocatable.get(resource, 0)
    share = percent(requested, allocatable)
    if width < NARROW or not allocatable:
        return share
    return f"{_round(requested / unit)}/{_round(allocatable / unit)}{suffix} {share:>4}"


def _round(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:.1f}"


def _workloads(workloads: Sequence[WorkloadUse], width: int) -> Table:
    columns = [("workload", "left"), ("ready", "right"), ("lowest", "right"), ("pending", "right")]
    if width >= NARROW:
        columns.append(("where", "left"))
    table = _table(*columns)
    for each in workloads:
        where = ", ".join(f"{zone or '(none)'} {count}" for zone, count in each.zones.items())
        cells: dict[str, RenderableType] = {
            "workload": each.name,
            "ready": _ready([each]),
            "lowest": str(each.lowest),
            "pending": _count(each.pending, "red"),
            "where": where,
        }
        table.add_row(*(cells[name] for name, _ in columns))
    return table


def _refusal(each: Unscheduled) -> Text:
    pods = "1 pod" if each.pods == 1 else f"{each.pods} pods"
    return Text.assemble((f"{pods} of {each.workload} without a node: ", "red"), each.message or "nobody said why")


def _nodes(nodes: Sequence[NodeUse], width: int) -> RenderableType:
    """The nodes at the end; of many, those that are used most and least."""
    shown, title = list(nodes), "nodes at the end"
    if len(shown) > MOST_NODES:
        usable = sorted((node for node in nodes if node.state == "ready"), key=_fullness, reverse=True)
        half = MOST_NODES // 4
        shown = usable[:half] + usable[-half:] if len(usable) > 2 * half else usable
        title = f"nodes at the end: the most and the least used of {len(usable)}"
    columns = [("node", "left"), ("state", "left"), ("pods", "right"), ("cpu", "right"), ("memory", "right")]
    if width < NARROW:
        columns.pop(1)
    table = _table(*columns)
    for node in shown:
        cells: dict[str, RenderableType] = {
            "node": node.name,
            "state": Text(node.state, style="" if node.state == "ready" else "red"),
            "pods": str(node.pods),
            "cpu": _use(node, "cpu", 1000, "", width),
            "memory": _use(node, "memory", 1 << 30, " Gi", width),
        }
        table.add_row(*(cells[name] for name, _ in columns))
    return Group(Text(f"\n{title}", style="bold"), Padding(table, (0, 0, 0, 2), expand=False))


def _fullness(node: NodeUse) -> float:
    return max(share(node, resource) for resource in ("cpu", "memory"))


def share(node: NodeUse, resource: str) -> float:
    """How much of a node is requested, from 0 to 1."""
    return node.requested.get(resource, 0) / (node.allocatable.get(resource, 0) or 1)

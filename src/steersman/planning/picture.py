"""The answer as a picture: after each event a row of nodes by zone, each a bar of what its workloads request.

Colours are those of Okabe and Ito, which people tell apart whatever they see; workloads beyond the first few are
hatched, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .faults import ScenarioError
from .report import NodeUse, Report, Step, natural
from .tables import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
HATCHES = ("", "", "", "", "///", "///")
OTHERS = "#999999"
EMPTY = "#ECECEC"
DEAD = "#FFFFFF"
INK = "#333333"
ALARM = "#B22222"

WIDTH = 11.0
ROW, LINE = 1.55, 0.15
"""Inches: of a row, and more where nodes and zones have names below it."""

GAP, WIDE_GAP = 0.6, 1.6
"""Between zones, in widths of a bar; the other between thin ones."""

MOST_BARS = 96
"""Of more nodes, neighbours in a zone share a bar."""

THIN = 40
"""More bars than this have neither gaps nor words in them."""

LETTERS = 150
"""So many fit below a row."""

HEADING = 118
"""So many fit above it."""

FEWEST = 8
"""Fewer bars are no wider than these."""


class Place(NamedTuple):
    """Where a node is drawn in all rows, or neighbours in a zone are."""

    zone: str
    names: tuple[str, ...]
    position: float


class Bar(NamedTuple):
    """What is drawn there: how much of its nodes each workload requests."""

    position: float
    shares: dict[str, float]
    dead: bool
    cordoned: bool


def check(path: Path) -> None:
    """Raises ScenarioError where no picture can be drawn into a file of this name."""
    if path.suffix.lower() not in FORMATS:
        raise ScenarioError(str(path), f"a picture's name ends in {' or '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise ScenarioError(str(path), f"there is no directory {path.parent}")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ScenarioError(
            str(path), "drawing pictures needs matplotlib; install it with: pip install 'steersman[simulation]'"
        ) from None


def draw(report: Report, path: Path, resource: str = "") -> None:
    """Draw the answer; ``resource`` is ``cpu`` or ``memory``, that which is scarcer where it is empty."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    resource = resource or scarcer(report)
    palette = colours(report, resource)
    style: Any = {"svg.hashsalt": "steersman", "font.size": 9, "hatch.linewidth": 0.6}
    with mpl.rc_context(style):
        layout = places(report)
        named = names_fit(layout)
        height = (ROW + LINE * named) * len(report.steps) + 1.1
        figure = Figure(figsize=(WIDTH, height), facecolor="white")
        axes = figure.subplots(len(report.steps), 1, squeeze=False)[:, 0]
        for axis, step in zip(axes, report.steps, strict=True):
            _panel(axis, bars(step.nodes, layout, resource), palette, thin=len(layout) > THIN)
            _frame(axis, step, layout, named=named)
        legend = [Patch(facecolor=colour, hatch=hatch, label=name) for name, (colour, hatch) in palette.items()]
        legend += [
            Patch(facecolor=EMPTY, edgecolor="#CCCCCC", label="free"),
        ]
        states = {node.state for step in report.steps for node in step.nodes}
        if "not ready" in states:
            legend.append(Patch(facecolor=DEAD, edgecolor="#AAAAAA", hatch="xxx", label="not ready"))
        if "cordoned" in states:
            legend.append(Patch(facecolor=EMPTY, edgecolor=INK, linestyle=(0, (2, 1.5)), label="cordoned"))
        figure.suptitle(f"{report.scenario}: {resource} requested of each node", x=0.01, y=1 - 0.1 / height, ha="left",
                        va="top", fontsize=12, fontweight="bold", color=INK)  # fmt: skip
        figure.legend(handles=legend, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.32 / height), frameon=False,
                      ncols=min(len(legend), 6), fontsize=8.5, handlelength=1.2, columnspacing=1.4)  # fmt: skip
        lines = -(-len(legend) // 6)
        figure.subplots_adjust(
            left=0.05,
            right=0.99,
            top=1 - (0.72 + 0.2 * lines) / height,
            bottom=(0.32 + LINE * named) / height,
            hspace=0.62 + LINE * named,
        )
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
        figure.savefig(path, dpi=150, metadata=metadata)


def scarcer(report: Report) -> str:
    """The resource of which the greatest part was ever requested."""

    def pressure(resource: str) -> float:
        return max(
            sum(node.requested.get(resource, 0) for node in step.nodes)
            / (sum(node.allocatable.get(resource, 0) for node in step.nodes) or 1)
            for step in report.steps
        )

    return max(("cpu", "memory"), key=pressure)


def colours(report: Report, resource: str) -> dict[str, tuple[str, str]]:
    """Colour and hatch of each workload that has its own, the greatest first; the others share one."""
    totals: Counter[str] = Counter()
    for step in report.steps:
        for node in step.nodes:
            for name, amounts in node.workloads.items():
                totals[name] = max(totals[name], 0) + amounts.get(resource, 0)
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    palette = dict(zip(ranked, zip(COLOURS, HATCHES, strict=True), strict=False))
    if len(ranked) > len(palette):
        palette["others"] = (OTHERS, "")
    return palette


def places(report: Report) -> list[Place]:
    """One for each node that is ever there, in the order of zones."""
    nodes = {node.name: node.zone for step in report.steps for node in step.nodes}
    size = -(-len(nodes) // MOST_BARS)
    gap = GAP if len(nodes) <= THIN else WIDE_GAP
    zones: dict[str, list[str]] = {}
    for name in sorted(nodes, key=natural):
        zones.setdefault(nodes[name], []).append(name)
    found: list[Place] = []
    position = 0.0
    for zone in sorted(zones, key=natural):
        members = zones[zone]
        for start in range(0, len(members), size):
            found.append(Place(zone, tuple(members[start : start + size]), position))
            position += 1
        position += gap
    return found


def bars(nodes: Sequence[NodeUse], layout: Sequence[Place], resource: str) -> list[Bar]:
    """The bars of a row."""
    known = {node.name: node for node in nodes}
    found = ((place, [known[name] for name in place.names if name in known]) for place in layout)
    return [_bar(place.position, members, resource) for place, members in found if members]


def _bar(position: float, nodes: Sequence[NodeUse], resource: str) -> Bar:
    whole = sum(node.allocatable.get(resource, 0) for node in nodes) or 1
    amounts: Counter[str] = Counter()
    for node in nodes:
        for name, requested in node.workloads.items():
            amounts[name] += requested.get(resource, 0)
    return Bar(
        position,
        {name: amount / whole for name, amount in amounts.items()},
        all(node.state == "not ready" for node in nodes),
        all(node.state == "cordoned" for node in nodes),
    )


def _panel(axis: Axes, row: Sequence[Bar], palette: dict[str, tuple[str, str]], *, thin: bool) -> None:
    width, line = (1.0, 0.0) if thin else (0.82, 0.5)
    alive, dead = [bar for bar in row if not bar.dead], [bar for bar in row if bar.dead]
    at = [bar.position for bar in alive]
    axis.bar(at, [1.0] * len(at), width, color=EMPTY, edgecolor="#CCCCCC", linewidth=line, clip_on=False)
    gone = [bar.position for bar in dead]
    axis.bar(gone, [1.0] * len(gone), width, color=DEAD, edgecolor="#AAAAAA", hatch="xxx", linewidth=line,
             clip_on=False)  # fmt: skip
    heights = [0.0] * len(at)
    for name, (colour, hatch) in palette.items():
        parts = [_part(bar.shares, name, palette) for bar in alive]
        if any(parts):
            axis.bar(at, parts, width, heights, color=colour, hatch=hatch, edgecolor="white", linewidth=line)
            heights = [height + part for height, part in zip(heights, parts, strict=True)]
    for first, last in _runs([bar.position for bar in alive if bar.cordoned], together=thin):
        middle, span = (first + last) / 2, last - first + width
        axis.bar([middle], [1.0], span, color="none", edgecolor=INK, linewidth=1.1, linestyle=(0, (2, 1.5)),
                 clip_on=False)  # fmt: skip


def _runs(positions: Sequence[float], *, together: bool) -> list[tuple[float, float]]:
    """The first and last of what stands side by side, or of each by itself."""
    found: list[tuple[float, float]] = []
    for position in positions:
        if together and found and position - found[-1][1] == 1:
            found[-1] = (found[-1][0], position)
        else:
            found.append((position, position))
    return found


def _part(shares: dict[str, float], name: str, palette: dict[str, tuple[str, str]]) -> float:
    if name in shares:
        return shares[name]
    return sum(part for other, part in shares.items() if other not in palette) if name == "others" else 0.0


def _span(layout: Sequence[Place]) -> float:
    """How wide a row is, in widths of a bar."""
    return max(layout[-1].position, FEWEST - 1) + 1.4


def names_fit(layout: Sequence[Place]) -> bool:
    """Whether each node has its bar, and room for its name below."""
    room = LETTERS / _span(layout)
    return all(len(place.names) == 1 and len(place.names[0]) < room for place in layout)


def _frame(axis: Axes, step: Step, layout: Sequence[Place], *, named: bool) -> None:
    axis.set_xlim(-0.7, _span(layout) - 0.7)
    axis.set_ylim(0, 1.0)
    axis.set_yticks([0, 0.5, 1.0], ["0", "50", "100 %"], fontsize=7.5, color=INK)
    told = _told(step)
    shown = shortened(step.title, HEADING - sum(len(words) + 2 for words, _ in told))
    before = axis.text(0, 1.07, shown, transform=axis.transAxes, fontsize=9.5, fontweight="bold", color=INK)
    for number, (words, colour) in enumerate(told):
        before = axis.annotate(words, xy=(1, 0), xycoords=before, xytext=(3 if number else 9, 0),
                               textcoords="offset points", va="bottom", fontsize=9.5, color=colour)  # fmt: skip
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
    axis.spines["left"].set_color("#AAAAAA")
    axis.tick_params(axis="x", length=0, pad=2)
    axis.tick_params(axis="y", length=2, color="#AAAAAA")
    there = {node.name for node in step.nodes}
    here = [place for place in layout if there.intersection(place.names)]
    spans: dict[str, list[Place]] = {}
    for place in here:
        spans.setdefault(place.zone, []).append(place)
    middles = {zone: (span[0].position + span[-1].position) / 2 for zone, span in spans.items()}
    if named:
        axis.set_xticks([place.position for place in here], [place.names[0] for place in here], fontsize=7.5, color=INK)
        for zone, middle in middles.items():
            if zone:
                axis.annotate(f"zone {zone}", xy=(middle, 0), xycoords=("data", "axes fraction"), xytext=(0, -13),
                              textcoords="offset points", ha="center", va="top", fontsize=8.5, fontweight="bold",
                              color=INK)  # fmt: skip
        return
    counts = Counter(node.zone for node in step.nodes)
    labels = []
    for zone, span in spans.items():
        room = int((span[-1].position - span[0].position + 2) * LETTERS / _span(layout))
        labels.append(labelled(zone, counts[zone], room))
    axis.set_xticks([*middles.values()], labels, fontsize=8, color=INK)


def labelled(zone: str, count: int, room: int) -> str:
    """What stands below a zone's nodes, in so many letters."""
    text = f"{f'zone {zone}' if zone else 'no zone'}: {_nodes(count)}"
    return text if len(text) <= room else shortened(zone or "none", room)


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def shortened(text: str, length: int) -> str:
    """No longer than this; what stands in the middle goes."""
    if len(text) <= length:
        return text
    half = max(2, (length - 1) // 2)
    return f"{text[:half].rstrip()}…{text[-half:].lstrip()}"


def _told(step: Step) -> list[tuple[str, str]]:
    """What became of it, with colours."""
    ready, wanted = sum(each.ready for each in step.workloads), sum(each.wanted for each in step.workloads)
    pending = sum(each.pending for each in step.workloads)
    parts = [(f"{ready} of {wanted} pods ready", INK)]
    if pending:
        parts.append((f"{pending} without a node", ALARM))
    if step.evicted:
        parts.append((f"{step.evicted} evicted", INK))
    if step.took:
        parts.append((f"{'settled ' if step.settled else ''}after {duration(step.took)}", INK))
    return [*((f"{words},", colour) for words, colour in parts[:-1]), parts[-1]]

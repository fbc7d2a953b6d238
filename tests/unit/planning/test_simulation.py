"""Scenarios carried out, and what is said of them."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from steersman.cli.main import main
from steersman.planning import picture, tables
from steersman.planning.faults import ScenarioError
from steersman.planning.report import Report, Step
from steersman.planning.scenario import read
from steersman.planning.simulation import simulate

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/simulation/scenario.yaml"
HEAD = "apiVersion: planning.steersman.dev/v1alpha1\nkind: Scenario\n"


def deployment(name: str, replicas: int, cpu: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


async def steps(nodes: str, events: str, *workloads: dict[str, Any], seed: int = 0) -> list[Step]:
    made = msgspec.json.encode(workloads).decode()
    text = f"{HEAD}nodes: {nodes}\nevents: {events}\nworkloads: {made}"
    return (await simulate(read(text, Path()), seed=seed)).steps


async def test_what_fits_and_what_does_not_and_why() -> None:
    (start,) = await steps("[{count: 2, zone: a, cpu: '4'}]", "[]", deployment("web", 5, "2"))
    assert [(each.name, each.wanted, each.ready, each.pending) for each in start.workloads] == [
        ("deployment/web", 5, 4, 1)
    ]
    (refused,) = start.unscheduled
    assert (refused.workload, refused.pods) == ("deployment/web", 1)
    assert refused.message.startswith("0/2 nodes are available: 2 Insufficient cpu.")
    (zone,) = start.zones
    assert (zone.nodes, zone.ready, zone.pods) == (2, 2, 4)
    assert (zone.requested["cpu"], zone.allocatable["cpu"]) == (8000, 8000)
    assert [node.workloads["deployment/web"]["pods"] for node in start.nodes] == [2, 2]


async def test_a_zone_that_dies_is_given_up_and_emptied_in_the_time_that_takes() -> None:
    _, failed, back = await steps(
        "[{count: 2, zone: a, cpu: '4'}, {count: 2, zone: b, cpu: '4'}]",
        "[zone a fails, zone a returns]",
        deployment("web", 6, "2"),
    )
    assert failed.settled
    assert failed.silenced is not None
    assert 50 <= failed.silenced <= 65
    (evicted,) = failed.evictions
    lost = sum(failed.workloads[0].zones.values())
    assert (evicted.reason, evicted.pods) == ("DeletionByTaintManager", 6 - failed.workloads[0].lowest)
    assert failed.silenced + 290 <= evicted.first <= evicted.last <= failed.took <= 380
    assert (lost, failed.workloads[0].pending) == (4, 2)
    assert "untolerated taint" in failed.unscheduled[0].message
    assert {node.name: node.state for node in failed.nodes} == {
        "a-0": "not ready", "a-1": "not ready", "b-0": "ready", "b-1": "ready",
    }  # fmt: skip
    assert (back.workloads[0].ready, back.workloads[0].pending, back.evicted) == (6, 0, 0)


async def test_a_short_outage_evicts_nothing() -> None:
    _, out, back = await steps(
        "[{count: 2, zone: a}, {count: 2, zone: b}]",
        "[zone a fails, wait 2m, zone a returns]",
        deployment("web", 8, "1"),
    )
    assert (out.title, out.took, out.settled, out.evicted) == ("zone a fails, wait 2m", 120, False, 0)
    assert out.workloads[0].ready == out.workloads[0].lowest == 8 - out.nodes[0].pods - out.nodes[1].pods
    assert (back.workloads[0].ready, back.evicted) == (8, 0)


async def test_nodes_are_drained_and_return_and_join_and_workloads_are_scaled() -> None:
    _, drained, scaled, joined, back = await steps(
        "[{count: 2, cpu: '4'}]",
        "[node node-0 drains, scale deployment/web to 4, {add nodes: {cpu: '4', zone: z}}, node node-0 returns]",
        deployment("web", 2, "2"),
    )
    assert [(each.reason, each.pods) for each in drained.evictions] == [("EvictionByEvictionAPI", 1)]
    assert {node.name: (node.state, node.pods) for node in drained.nodes} == {
        "node-0": ("cordoned", 0), "node-1": ("ready", 2),
    }  # fmt: skip
    assert (scaled.workloads[0].wanted, scaled.workloads[0].ready, scaled.workloads[0].pending) == (4, 2, 2)
    assert (joined.workloads[0].ready, joined.workloads[0].zones) == (4, {"": 2, "z": 2})
    assert [node.state for node in back.nodes] == ["ready", "ready", "ready"]


async def test_pods_of_their_own_do_not_come_back() -> None:
    alone = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alone", "namespace": "shop"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    start, drained = await steps("[{count: 2}]", "[{node: node-0 drains}]", alone)
    first = next(node for node in start.nodes if node.pods)
    if first.name == "node-0":
        assert drained.notes == ["pods that nothing controls were evicted, too, and do not come back"]
        assert (drained.workloads[0].name, drained.workloads[0].ready) == ("shop/pod/alone", 0)
    else:
        assert (drained.notes, drained.workloads[0].ready) == ([], 1)


@pytest.mark.parametrize(
    ("events", "workload", "fault"),
    [
        ("[]", deployment("web", 1, "1", restartPolicy="Sometimes"),
         r'workloads\[0\]: Deployment web: .*template\.spec\.restartPolicy: Unsupported value: "Sometimes"'),
        ("[]", deployment("web", 1, "-1"),
         r'workloads\[0\]: Deployment web: .*requests\[cpu\]: Invalid value: "-1": must be greater than or equal to 0'),
        ("[]", deployment("web", 1, "1", priorityClassName="none"),
         None),
        ("[wait 10s, scale deployment/api to 3]", deployment("web", 1, "1"),
         r'events\[1\]: scale deployment/api: .*"api" not found'),
    ],
)  # fmt: skip
async def test_what_the_api_server_refuses_is_told(events: str, workload: dict[str, Any], fault: str | None) -> None:
    if fault is None:
        (step,) = await steps("[{}]", events, workload)
        assert (step.workloads[0].ready, step.workloads[0].pending) == (0, 0)
        (note,) = step.notes
        assert re.match(
            r'deployment/web: pods "web-\w+-" is forbidden: no PriorityClass with name none was found', note
        )
        return
    with pytest.raises(ScenarioError, match=f"^{fault}"):
        await steps("[{}]", events, workload)


async def test_the_same_scenario_and_seed_have_the_same_answer() -> None:
    nodes, events = "[{count: 5, zone: a}, {count: 5, zone: b}]", "[zone b drains]"
    workloads = [deployment(name, 7, "500m") for name in ("x", "y", "z")]
    answers = [await steps(nodes, events, *workloads, seed=seed) for seed in (1, 1, 2)]
    assert answers[0] == answers[1]
    assert answers[0] != answers[2]


@pytest.fixture(scope="module")
def example() -> Report:
    import asyncio

    from steersman.planning.scenario import load

    return asyncio.run(simulate(load(EXAMPLE)))


def shown(report: Report, width: int) -> list[str]:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        tables.show(report, console)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_guide_shows_what_the_example_prints(example: Report) -> None:
    guide = (ROOT / "docs/simulation.md").read_text()
    (printed,) = re.findall(r"```console\n\$ steersman simulate [^\n]*\n(.*?)```", guide, re.DOTALL)
    assert shown(example, 80)[: len(printed.splitlines())] == printed.splitlines()
    head, _, _ = EXAMPLE.read_text().partition("apiVersion")
    assert EXAMPLE.read_text().removeprefix(head) in guide


@pytest.mark.parametrize("width", [44, 60, 80, 100, 200])
def test_tables_fit_into_any_terminal(example: Report, width: int) -> None:
    lines = shown(example, width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    for word in ("zone a returns", "12/15", "deployment/checkout", "0/6 nodes are available:", "c-2"):
        assert word in text


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_pictures_are_drawn_and_the_same_each_time(example: Report, tmp_path: Path, suffix: str) -> None:
    drawn = [tmp_path / f"{number}{suffix}" for number in range(2)]
    report = msgspec.structs.replace(example, steps=example.steps[:2])
    for path in drawn:
        picture.check(path)
        picture.draw(report, path)
    first, second = (path.read_bytes() for path in drawn)
    assert first == second
    assert first.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
    assert picture.scarcer(example) == "cpu"
    assert list(picture.colours(example, "cpu")) == ["deployment/checkout", "deployment/web"]


def test_of_many_nodes_neighbours_share_a_bar(example: Report) -> None:
    node = example.steps[0].nodes[0]
    nodes = [
        msgspec.structs.replace(node, name=f"{zone}-{number}", zone=zone) for zone in "ab" for number in range(150)
    ]
    layout = picture.places(
        Report(scenario="s", seed=0, steps=[msgspec.structs.replace(example.steps[0], nodes=nodes)])
    )
    assert len(layout) <= picture.MOST_BARS
    assert sum(len(place.names) for place in layout) == 300
    row = picture.bars(nodes, layout, "cpu")
    share = sum(row[0].shares.values())
    assert share == pytest.approx(node.requested["cpu"] / node.allocatable["cpu"])


def test_names_stand_below_bars_where_they_fit(example: Report) -> None:
    assert picture.names_fit(picture.places(example))
    node = example.steps[0].nodes[0]
    for names in (["a-very-long-name-of-a-node-pool-1"], [f"node-{number}" for number in range(60)]):
        nodes = [msgspec.structs.replace(node, name=name) for name in names]
        step = msgspec.structs.replace(example.steps[0], nodes=nodes)
        assert not picture.names_fit(picture.places(Report(scenario="s", seed=0, steps=[step])))
    assert picture.shortened("zone europe-west3-b fails", 11) == "zone…fails"
    assert picture.shortened("zone a fails", 12) == "zone a fails"


def test_zones_stand_in_the_order_of_their_numbers(example: Report) -> None:
    node = example.steps[0].nodes[0]
    nodes = [msgspec.structs.replace(node, name=f"z{number}-0", zone=f"z{number}") for number in (10, 2, 1)]
    step = msgspec.structs.replace(example.steps[0], nodes=nodes)
    layout = picture.places(Report(scenario="s", seed=0, steps=[step]))
    assert [place.zone for place in layout] == ["z1", "z2", "z10"]


@pytest.mark.parametrize(
    ("zone", "count", "room", "label"),
    [
        ("a", 40, 20, "zone a: 40 nodes"),
        ("a", 1, 20, "zone a: 1 node"),
        ("eu-west-1a", 3, 8, "eu-…-1a"),
        ("", 3, 20, "no zone: 3 nodes"),
        ("", 3, 5, "none"),
    ],
)
def test_what_stands_below_the_nodes_of_a_zone(zone: str, count: int, room: int, label: str) -> None:
    assert picture.labelled(zone, count, room) == label


def test_the_command(tmp_path: Path) -> None:
    drawn, again = tmp_path / "shop.svg", tmp_path / "again.svg"
    pictures = ["--picture", str(drawn), "--picture", str(again)]
    result = CliRunner().invoke(main, ["simulate", str(EXAMPLE), "-o", "json", *pictures])
    assert result.exit_code == 0, result.output
    answer = msgspec.json.decode(result.output)
    assert [step["title"] for step in answer["steps"]][1:3] == ["zone a fails", "zone a returns"]
    assert answer["steps"][1]["evictions"][0]["reason"] == "DeletionByTaintManager"
    assert drawn.read_bytes() == again.read_bytes()
    assert drawn.read_bytes().startswith(b"<?xml")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(HEAD + "nodes: [{cpu: much}]")
    for arguments, words in (
        ([str(wrong)], f"Error: {wrong}: nodes[0].cpu: 'much' is no quantity"),
        ([str(EXAMPLE), "--picture", "shop.gif"], "Error: shop.gif: a picture's name ends in .svg or .png"),
    ):
        failed = CliRunner().invoke(main, ["simulate", *arguments])
        assert failed.exit_code == 1
        assert words in failed.output


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ScenarioError, match=r"pip install 'steersman\[simulation\]'"):
        picture.check(tmp_path / "a.png")


async def test_a_zone_is_given_up_at_upstreams_rate_however_long_a_look_takes() -> None:
    _, failed = await steps(
        "[{count: 8, zone: a, cpu: '1'}, {count: 8, zone: b, cpu: '1'}]",
        "[zone a fails]",
        deployment("web", 16, "1"),
    )
    (evicted,) = failed.evictions
    assert evicted.pods == 8
    assert evicted.last - evicted.first == pytest.approx(70, abs=6)  # one node in ten seconds

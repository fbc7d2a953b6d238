"""What people are told of a cluster's nodes."""

from __future__ import annotations

import pytest

from steersman.cluster.status import NodeReport, Report, _has_a_node, as_text


@pytest.mark.parametrize(
    ("nodes", "ready"),
    [
        ([], False),
        ([NodeReport("a", True)], True),
        ([NodeReport("a", False)], False),
        ([NodeReport("a", False), NodeReport("s", True, True)], False),
        ([NodeReport("s", True, True), NodeReport("t", False, True)], True),
    ],
)
def test_a_simulated_node_counts_where_there_is_no_other(nodes: list[NodeReport], ready: bool) -> None:
    assert _has_a_node(nodes) is ready


def test_simulated_nodes_are_counted_and_not_listed() -> None:
    nodes = [NodeReport("a", True), *(NodeReport(f"s{number}", number > 0, True) for number in range(3))]
    text = as_text(Report("/d", "https://x", True, True, True, [], nodes))
    assert text.splitlines()[-2:] == ["node       a: Ready", "simulated  3 nodes, 2 Ready"]

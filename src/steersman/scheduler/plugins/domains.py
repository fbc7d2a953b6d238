"""Topology domains: the nodes that share the value of a label, and how many pods of a kind are in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from steersman.scheduler.snapshot import Group, Indexes, Numbers, Snapshot


def domain_of(snapshot: Snapshot, key: str, columns: Indexes) -> Indexes:
    """The number of each column's domain, -1 where the node lacks the label."""
    found = snapshot.label_columns.get(key)
    return np.full(columns.size, -1, np.intp) if found is None else found[columns]


def count(snapshot: Snapshot, chosen: Callable[[Group], bool]) -> Counter[int]:
    """How many of the chosen pods are on each column."""
    total: Counter[int] = Counter()
    for group, columns in snapshot.groups.items():
        if chosen(group):
            total.update(columns)
    return total


def per_domain(snapshot: Snapshot, key: str, counts: Counter[int]) -> Numbers:
    """Counts on columns, added up for each domain; the last element stays 0, for nodes without the label."""
    result: Numbers = np.zeros(len(snapshot.label_values.get(key, ())) + 1, np.int64)
    column_domain = snapshot.label_columns.get(key)
    if column_domain is not None:
        for column, number in counts.items():
            if (domain := int(column_domain[column])) >= 0:
                result[domain] += number
    return result

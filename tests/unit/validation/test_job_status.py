"""What the statuses of Jobs may not become."""

from __future__ import annotations

import pytest

from .objects import Faults
from .test_batch import JOB

STATUSES: list[tuple[str, str, Faults]] = [
    (
        "",
        "status: {active: -1, succeeded: -1, failed: -1, ready: -1, terminating: -1}",
        [
            "status.active: Invalid value: -1: must be greater than or equal to 0",
            "status.succeeded: Invalid value: -1: must be greater than or equal to 0",
            "status.failed: Invalid value: -1: must be greater than or equal to 0",
            "status.ready: Invalid value: -1: must be greater than or equal to 0",
            "status.terminating: Invalid value: -1: must be greater than or equal to 0",
            "status.failed: Invalid value: -1: cannot decrease the failed counter",
            "status.succeeded: Invalid value: -1: cannot decrease the succeeded counter",
        ],
    ),
    (
        "",
        "status: {conditions: [{type: Complete, status: 'True'}]}",
        [
            (
                "status.conditions: Invalid value: cannot set Complete=True condition without the "
                "SuccessCriteriaMet=true condition"
            ),
            "status.completionTime: Required value: completionTime is required for Complete jobs",
            "status.startTime: Required value: startTime is required for finished job",
        ],
    ),
    (
        "",
        "status: {conditions: [{type: Failed, status: 'True'}], startTime: '2025-01-01T00:00:00Z'}",
        [
            (
                "status.conditions: Invalid value: cannot set Failed=True condition without the "
                "FailureTarget=true condition"
            )
        ],
    ),
    (
        "",
        (
            "status: {startTime: '2025-01-01T00:00:00Z', completionTime: '2025-01-02T00:00:00Z', "
            "conditions: [{type: Complete, status: 'True'}, {type: SuccessCriteriaMet, status: 'True'}]}"
        ),
        [],
    ),
    (
        "",
        (
            "status: {startTime: '2025-01-02T00:00:00Z', completionTime: '2025-01-01T00:00:00Z', "
            "conditions: [{type: Complete, status: 'True'}, {type: SuccessCriteriaMet, status: 'True'}]}"
        ),
        [('status.completionTime: Invalid value: "2025-01-01T00:00:00Z": must be equal to or after `startTime`')],
    ),
    (
        "",
        "status: {startTime: '2025-01-01T00:00:00Z', completionTime: '2025-01-02T00:00:00Z'}",
        [
            (
                'status.completionTime: Invalid value: "2025-01-02T00:00:00Z": cannot set completionTime '
                "when there is no Complete=True condition"
            )
        ],
    ),
    (
        "",
        (
            "status: {startTime: '2025-01-01T00:00:00Z', completionTime: '2025-01-02T00:00:00Z', "
            "conditions: [{type: Complete, status: 'True'}, {type: Failed, status: 'True'}, {type: "
            "FailureTarget, status: 'True'}, {type: SuccessCriteriaMet, status: 'True'}]}"
        ),
        [
            "status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions",
            "status.conditions: Invalid value: cannot set Complete=True and FailureTarget=true conditions",
            ("status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and Failed=true conditions"),
            ("status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        ],
    ),
    (
        "",
        "status: {active: 1, ready: 2, startTime: '2025-01-01T00:00:00Z'}",
        ["status.ready: Invalid value: 2: cannot set more ready pods than active"],
    ),
    (
        "",
        (
            "status: {active: 1, terminating: 1, startTime: '2025-01-01T00:00:00Z', "
            "uncountedTerminatedPods: {failed: [a]}, conditions: [{type: FailureTarget, status: 'True'}, "
            "{type: Failed, status: 'True'}]}"
        ),
        [
            "status.active: Invalid value: 1: active>0 is invalid for finished job",
            ('status.uncountedTerminatedPods: Invalid value: {"failed":["a"]}: must be empty for finished job'),
            "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job",
        ],
    ),
    (
        "",
        "status: {uncountedTerminatedPods: {failed: [a, ''], succeeded: [b, b]}}",
        [
            'status.uncountedTerminatedPods.succeeded[1]: Duplicate value: "b"',
            'status.uncountedTerminatedPods.failed[1]: Invalid value: "": must not be empty',
        ],
    ),
    (
        "",
        "status: {completedIndexes: '1', failedIndexes: '1'}",
        [
            ('status.completedIndexes: Invalid value: "1": error parsing completedIndexes: too large index: "1"'),
            (
                'status.completedIndexes: Invalid value: "1": cannot set non-empty completedIndexes when '
                "non-indexed completion mode"
            ),
            (
                'status.failedIndexes: Invalid value: "1": cannot set non-null failedIndexes when '
                "backoffLimitPerIndex is null"
            ),
        ],
    ),
    (
        "spec: {completionMode: Indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1}",
        "status: {completedIndexes: '0-1', failedIndexes: '1'}",
        [('status.failedIndexes: Invalid value: "1": failedIndexes and completedIndexes overlap at index: 1')],
    ),
    (
        "spec: {completionMode: Indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1}",
        "status: {completedIndexes: '0-9', failedIndexes: 'x'}",
        [
            ('status.completedIndexes: Invalid value: "0-9": error parsing completedIndexes: too large index: "9"'),
            (
                'status.failedIndexes: Invalid value: "x": error parsing failedIndexes: cannot convert '
                'string to integer for index: "x"'
            ),
        ],
    ),
    (
        "status: {failed: 2, succeeded: 2, startTime: '2025-01-01T00:00:00Z'}",
        "status: {failed: 1, succeeded: 1, startTime: '2025-01-02T00:00:00Z'}",
        [
            "status.failed: Invalid value: 1: cannot decrease the failed counter",
            "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter",
            "status.startTime: Required value: startTime cannot be removed for unsuspended job",
        ],
    ),
    (
        (
            "status: {startTime: '2025-01-01T00:00:00Z', completionTime: '2025-01-02T00:00:00Z', "
            "conditions: [{type: Complete, status: 'True'}, {type: SuccessCriteriaMet, status: 'True'}]}"
        ),
        "status: {conditions: []}",
        [
            (
                'status.completionTime: Invalid value: "2025-01-02T00:00:00Z": cannot set completionTime '
                "when there is no Complete=True condition"
            ),
            "status.conditions: Invalid value: cannot disable the terminal Complete=True condition",
            "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
        ],
    ),
]


@pytest.mark.parametrize(("old", "new", "faults"), STATUSES)
def test_statuses_of_jobs(old: str, new: str, faults: Faults) -> None:
    assert JOB.change(old, new, "status") == faults


def test_a_resumed_job_may_start_anew() -> None:
    suspended = "status: {startTime: '2025-01-01T00:00:00Z', conditions: [{type: Suspended, status: 'True'}]}"
    resumed = "status: {startTime: null, conditions: [{type: Suspended, status: 'False'}]}"
    assert JOB.change(suspended, resumed, "status") == []

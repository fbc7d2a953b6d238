"""The group batch: what is said of Jobs, of their changes, and of CronJobs."""

from __future__ import annotations

import re

import pytest

from steersman.api.types import batch_v1
from steersman.api.validation import cron

from .objects import Faults, Valid

POD = "restartPolicy: Never, containers: [{name: c, image: i}]"
JOB = Valid(
    batch_v1.Job,
    "spec: {manualSelector: true, selector: {matchLabels: {a: b}}, "
    f"template: {{metadata: {{labels: {{a: b}}}}, spec: {{{POD}}}}}}}",
)
CRON_JOB = Valid(
    batch_v1.CronJob, f"spec: {{schedule: '* * * * *', jobTemplate: {{spec: {{template: {{spec: {{{POD}}}}}}}}}}}"
)

JOBS: list[tuple[str, Faults]] = [
    (
        (
            "spec: {parallelism: -1, completions: -1, backoffLimit: -1, activeDeadlineSeconds: -1, "
            "ttlSecondsAfterFinished: -1}"
        ),
        [
            "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
            "spec.completions: Invalid value: -1: must be greater than or equal to 0",
            "spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
            "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
            "spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
    ("spec: {selector: null}", ["spec.selector: Required value"]),
    (
        "spec: {selector: {matchLabels: {a: c}}}",
        [('spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`')],
    ),
    (
        "{metadata: {uid: u1}, spec: {manualSelector: false}}",
        [
            "spec.template.metadata.labels: Required value: must be 'u1'",
            "spec.template.metadata.labels: Required value: must be 'x'",
            "spec.template.metadata.labels: Required value: must be 'u1'",
            "spec.template.metadata.labels: Required value: must be 'x'",
            'spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` not auto-generated',
        ],
    ),
    (
        "spec: {completionMode: Sideways}",
        [('spec.completionMode: Unsupported value: "Sideways": supported values: "NonIndexed", "Indexed"')],
    ),
    ("spec: {completionMode: Indexed}", []),
    (
        "spec: {completionMode: Indexed, completions: 2, parallelism: 100001}",
        [
            (
                "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when "
                "completion mode is Indexed"
            )
        ],
    ),
    (
        (
            "{metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}, spec: "
            "{completionMode: Indexed, completions: 11}}"
        ),
        [
            (
                "metadata.name: Invalid value: "
                '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": will not able to create '
                "pod with invalid DNS label: "
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-10"
            )
        ],
    ),
    (
        "spec: {backoffLimitPerIndex: 1, maxFailedIndexes: 1}",
        [
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
            "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode",
        ],
    ),
    (
        "spec: {maxFailedIndexes: 1, completionMode: Indexed, completions: 3, parallelism: 3}",
        ["spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"],
    ),
    (
        (
            "spec: {maxFailedIndexes: 4, backoffLimitPerIndex: 1, completionMode: Indexed, completions: "
            "3, parallelism: 3}"
        ),
        ["spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"],
    ),
    (
        ("spec: {completionMode: Indexed, completions: 100001, backoffLimitPerIndex: 1, parallelism: 10001}"),
        [
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
            (
                "spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when "
                "completions are above 100000 and used with backoff limit per index"
            ),
        ],
    ),
    (
        (
            "spec: {completionMode: Indexed, completions: 100001, backoffLimitPerIndex: 1, parallelism: "
            "1, maxFailedIndexes: 10001}"
        ),
        [
            (
                "spec.maxFailedIndexes: Invalid value: 10001: must be less than or equal to 10000 when "
                "completions are above 100000 and used with backoff limit per index"
            )
        ],
    ),
    (
        "spec: {managedBy: x}",
        ['spec.managedBy: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")'],
    ),
    (
        ("spec: {managedBy: 'a.example.com/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'}"),
        ["spec.managedBy: Too long: may not be more than 63 bytes"],
    ),
    (
        "spec: {podReplacementPolicy: Never}",
        [('spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"')],
    ),
    (
        "spec: {podReplacementPolicy: TerminatingOrFailed, podFailurePolicy: {rules: []}}",
        [('spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"')],
    ),
    (
        "spec: {template: {spec: {restartPolicy: Always}}}",
        ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ),
    (
        "spec: {template: {spec: {restartPolicy: Sometimes}}}",
        [
            (
                'spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: '
                '"Always", "OnFailure", "Never"'
            ),
            (
                'spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: '
                '"OnFailure", "Never"'
            ),
        ],
    ),
    (
        "spec: {template: {spec: {restartPolicy: OnFailure}}, podFailurePolicy: {rules: []}}",
        [
            (
                'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported '
                "when podFailurePolicy is specified"
            )
        ],
    ),
    (
        (
            "spec: {podFailurePolicy: {rules: [{action: ''}, {action: Sing}, {action: FailIndex, "
            "onExitCodes: {operator: In, values: [1]}}]}}"
        ),
        [
            (
                'spec.podFailurePolicy.rules[0].action: Required value: valid values: ["Count" "FailIndex" '
                '"FailJob" "Ignore"]'
            ),
            (
                "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and "
                "OnPodConditions is required"
            ),
            (
                'spec.podFailurePolicy.rules[1].action: Unsupported value: "Sing": supported values: '
                '"Count", "FailIndex", "FailJob", "Ignore"'
            ),
            (
                "spec.podFailurePolicy.rules[1]: Invalid value: specifying one of OnExitCodes and "
                "OnPodConditions is required"
            ),
            (
                'spec.podFailurePolicy.rules[2].action: Invalid value: "FailIndex": requires the '
                "backoffLimitPerIndex to be set"
            ),
        ],
    ),
    (
        (
            "spec: {podFailurePolicy: {rules: [{action: Count, onExitCodes: {operator: In, values: [0, "
            "1, 1, 3, 2]}}, {action: Count, onExitCodes: {operator: Like, containerName: d, values: "
            "[]}}]}}"
        ),
        [
            (
                "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for "
                "the In operator"
            ),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 1",
            ("spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [0,1,1,3,2]: must be ordered"),
            (
                'spec.podFailurePolicy.rules[1].onExitCodes.operator: Unsupported value: "Like": supported '
                'values: "In", "NotIn"'
            ),
            (
                'spec.podFailurePolicy.rules[1].onExitCodes.containerName: Invalid value: "d": must be one '
                "of the container or initContainer names in the pod template"
            ),
            ("spec.podFailurePolicy.rules[1].onExitCodes.values: Invalid value: []: at least one value is required"),
        ],
    ),
    (
        (
            "spec: {podFailurePolicy: {rules: [{action: Count, onPodConditions: [{type: '?', status: "
            "Maybe}, {type: A, status: ''}], onExitCodes: {operator: NotIn, values: [0]}}]}}"
        ),
        [
            (
                'spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: "?": name part must '
                "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
                "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
            (
                'spec.podFailurePolicy.rules[0].onPodConditions[0].status: Unsupported value: "Maybe": '
                'supported values: "False", "True", "Unknown"'
            ),
            (
                "spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and "
                "OnPodConditions is not supported"
            ),
        ],
    ),
    (
        "spec: {successPolicy: {rules: [{succeededCount: 1}]}}",
        [('spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode')],
    ),
    (
        "spec: {successPolicy: {rules: []}, completionMode: Indexed, completions: 3, parallelism: 3}",
        [
            (
                "spec.successPolicy.rules: Required value: at least one rules must be specified when the "
                "successPolicy is specified"
            )
        ],
    ),
    (
        (
            "spec: {successPolicy: {rules: [{}, {succeededCount: 0}, {succeededCount: 9}, "
            "{succeededIndexes: '0-7'}, {succeededIndexes: '0', succeededCount: 2}, {succeededIndexes: "
            "'2,1'}]}, completionMode: Indexed, completions: 3, parallelism: 3}"
        ),
        [
            (
                "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or "
                "succeededIndexes must be specified"
            ),
            (
                "spec.successPolicy.rules[2].succeededCount: Invalid value: 9: must be less than or equal to "
                "3 (the number of specified completions)"
            ),
            (
                'spec.successPolicy.rules[3].succeededIndexes: Invalid value: "0-7": error parsing '
                'succeededIndexes: too large index: "7"'
            ),
            (
                "spec.successPolicy.rules[4].succeededCount: Invalid value: 2: must be less than or equal to "
                "1 (the number of indexes in the specified succeededIndexes field)"
            ),
            (
                'spec.successPolicy.rules[5].succeededIndexes: Invalid value: "2,1": error parsing '
                "succeededIndexes: non-increasing order, previous: 2, current: 1"
            ),
        ],
    ),
]
CHANGES: list[tuple[str, str, Faults]] = [
    ("", "spec: {completions: 4}", ["spec.completions: Invalid value: 4: field is immutable"]),
    ("spec: {completionMode: Indexed, completions: 3, parallelism: 3}", "spec: {completions: 5, parallelism: 5}", []),
    (
        "spec: {completionMode: Indexed, completions: 3, parallelism: 3}",
        "spec: {completions: 5}",
        ["spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"],
    ),
    (
        "",
        "spec: {selector: {matchLabels: {a: c}}, template: {metadata: {labels: {a: c}}}}",
        [
            'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable',
            "spec.template: Invalid value: {…}: field is immutable",
        ],
    ),
    (
        "",
        "spec: {template: {spec: {containers: [{name: c, image: j}]}}}",
        ["spec.template: Invalid value: {…}: field is immutable"],
    ),
    (
        "",
        "spec: {template: {metadata: {managedFields: [{operation: Apply, fieldsV1: {'f:a': {}}}]}}}",
        ["spec.template: Invalid value: {…}: field is immutable"],
    ),
    ("spec: {suspend: true}", "spec: {template: {spec: {nodeSelector: {a: b}}}}", []),
    ("spec: {suspend: true}", "spec: {template: {spec: {schedulingGates: [{name: a}]}}}", []),
    ("", "spec: {template: {spec: {nodeSelector: {a: b}}}}", ["spec.template: Invalid value: {…}: field is immutable"]),
    (
        "spec: {suspend: true}",
        ("spec: {template: {spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}}}"),
        ["spec.template: Invalid value: {…}: field is immutable"],
    ),
    (
        "",
        "spec: {completionMode: Indexed, completions: 1}",
        ['spec.completionMode: Invalid value: "Indexed": field is immutable'],
    ),
    (
        "",
        "spec: {podFailurePolicy: {rules: []}}",
        ['spec.podFailurePolicy: Invalid value: {"rules":[]}: field is immutable'],
    ),
    (
        "",
        "spec: {backoffLimitPerIndex: 1}",
        [
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
            "spec.backoffLimitPerIndex: Invalid value: 1: field is immutable",
        ],
    ),
    (
        "",
        "spec: {managedBy: a.example.com/b}",
        ['spec.managedBy: Invalid value: "a.example.com/b": field is immutable'],
    ),
    (
        "spec: {completionMode: Indexed, completions: 3, parallelism: 3}",
        "spec: {successPolicy: {rules: [{succeededCount: 1}]}}",
        ['spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: field is immutable'],
    ),
    (
        "spec: {completionMode: Indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1}",
        "spec: {maxFailedIndexes: 2}",
        [],
    ),
]
CRON_JOBS: list[tuple[str, Faults]] = [
    ("spec: {schedule: ''}", ["spec.schedule: Required value"]),
    (
        "spec: {schedule: '* * * *'}",
        ['spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'],
    ),
    (
        "spec: {schedule: 'TZ=UTC * * * * *'}",
        [
            (
                'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use '
                "timeZone field instead"
            )
        ],
    ),
    (
        "spec: {schedule: 'TZ=UTC * * * * *', timeZone: UTC}",
        [
            (
                'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use '
                "timeZone field instead"
            )
        ],
    ),
    (
        "spec: {timeZone: Mars/Olympus}",
        ['spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus'],
    ),
    (
        "spec: {timeZone: Local}",
        [
            (
                'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
                "https://www.iana.org/time-zones"
            )
        ],
    ),
    ("spec: {timeZone: '/etc'}", ['spec.timeZone: Invalid value: "/etc": unknown time zone /etc']),
    (
        "spec: {timeZone: europe/paris}",
        ['spec.timeZone: Invalid value: "europe/paris": unknown time zone europe/paris'],
    ),
    (
        (
            "spec: {startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: "
            "-1, concurrencyPolicy: Sometimes}"
        ),
        [
            "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
            ('spec.concurrencyPolicy: Unsupported value: "Sometimes": supported values: "Allow", "Forbid", "Replace"'),
            "spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
            "spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
    (
        "metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
        [
            (
                'metadata.name: Invalid value: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": must '
                "be no more than 52 characters"
            )
        ],
    ),
    (
        (
            "spec: {jobTemplate: {spec: {manualSelector: true, selector: {matchLabels: {a: b}}, "
            "ttlSecondsAfterFinished: -1, template: {spec: {restartPolicy: Always}}}}}"
        ),
        [
            ("spec.jobTemplate.spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0"),
            ('spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
            (
                'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will '
                "be auto-generated"
            ),
            ('spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"'),
        ],
    ),
]


SCHEDULES = {
    "*/5 0-23/2,5 1 jan-MAR mon": "",
    "5/2,,7 * ? * *": "",
    "@every 1h30m": "",
    "@daily": "",
    "@often": "unrecognized descriptor: @often",
    "@every 5": 'failed to parse duration @every 5: time: invalid duration "5"',
    " @daily": "expected exactly 5 fields, found 1: [@daily]",
    "60/2 * * * *": "beginning of range (60) beyond end of range (59): 60/2",
    "60 * * * *": "end of range (60) above maximum (59): 60",
    "* * 0 * *": "beginning of range (0) below minimum (1): 0",
    "9-5 * * * *": "beginning of range (9) beyond end of range (5): 9-5",
    "*/0 * * * *": "step of range should be a positive number: */0",
    "1-2-3 * * * *": "too many hyphens: 1-2-3",
    "1/2/3 * * * *": "too many slashes: 1/2/3",
    "x * * * *": 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax',
    "-1 * * * *": 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax',
    "*/-1 * * * *": "negative number (-1) not allowed: -1",
    "99999999999999999999 * * * *": (
        'failed to parse int from 99999999999999999999: strconv.Atoi: parsing "99999999999999999999": '
        "value out of range"
    ),
    "TZ=Mars/Olympus * * * * *": "provided bad location Mars/Olympus: unknown time zone Mars/Olympus",
    "CRON_TZ=UTC * * * * *": "",
}


@pytest.mark.parametrize(("schedule", "fault"), SCHEDULES.items())
def test_schedules(schedule: str, fault: str) -> None:
    assert cron.fault(schedule) == fault


def test_a_change_is_not_held_to_what_only_new_jobs_must_be() -> None:
    """Labels of a suspended Job's pods may go; its name may be too long for more indexes."""
    suspended = "spec: {suspend: true, manualSelector: false}"
    assert JOB.change(suspended, "spec: {template: {metadata: {labels: {c: d}}}}") == []


def test_valid_jobs_pass() -> None:
    assert JOB.faults() == CRON_JOB.faults() == []


@pytest.mark.parametrize(("patch", "faults"), JOBS)
def test_jobs(patch: str, faults: Faults) -> None:
    assert JOB.faults(patch) == faults


@pytest.mark.parametrize(("old", "new", "faults"), CHANGES)
def test_changes_of_jobs(old: str, new: str, faults: Faults) -> None:
    found = [re.sub(r"(Invalid value: ){\"metadata.*}: ", r"\1{…}: ", fault) for fault in JOB.change(old, new)]
    assert found == faults


@pytest.mark.parametrize(("patch", "faults"), CRON_JOBS)
def test_cron_jobs(patch: str, faults: Faults) -> None:
    assert CRON_JOB.faults(patch) == faults


def test_a_zone_in_a_schedule_may_stay() -> None:
    zoned = "spec: {schedule: 'TZ=UTC * * * * *'}"
    assert CRON_JOB.change(zoned, "spec: {suspend: true}") == []
    assert CRON_JOB.change(zoned, "spec: {timeZone: UTC}") == [
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule'
    ]

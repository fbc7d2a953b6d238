"""What is said of HorizontalPodAutoscalers."""

from __future__ import annotations

import pytest

from steersman.api.types import autoscaling_v2

from .objects import Faults, Valid

AUTOSCALER = Valid(
    autoscaling_v2.HorizontalPodAutoscaler,
    "spec: {scaleTargetRef: {kind: Deployment, name: d}, maxReplicas: 3}",
)

AUTOSCALERS: list[tuple[str, Faults]] = [
    (
        "spec: {maxReplicas: 0}",
        [
            "spec.maxReplicas: Invalid value: 0: must be greater than 0",
            "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        ],
    ),
    (
        "spec: {minReplicas: 0}",
        [
            "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
            (
                "spec.metrics: Forbidden: must specify at least one Object or External metric to support "
                "scaling to zero replicas"
            ),
        ],
    ),
    ("spec: {minReplicas: 4}", ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"]),
    (
        "spec: {scaleTargetRef: {kind: '', name: ''}}",
        ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"],
    ),
    (
        "spec: {scaleTargetRef: {kind: a/b, name: '..'}}",
        [
            "spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/'",
            "spec.scaleTargetRef.name: Invalid value: \"..\": may not be '..'",
        ],
    ),
    (
        "spec: {metrics: [{type: ''}]}",
        [
            "spec.metrics[0].type: Required value: must specify a metric source type",
            *[
                'spec.metrics[0].type: Unsupported value: "": supported values: "ContainerResource", '
                '"External", "Object", "Pods", "Resource"'
            ]
            * 2,
        ],
    ),
    (
        "spec: {metrics: [{type: Sideways}]}",
        [
            'spec.metrics[0].type: Unsupported value: "Sideways": supported values: "ContainerResource", '
            '"External", "Object", "Pods", "Resource"'
        ]
        * 2,
    ),
    (
        "spec: {metrics: [{type: Resource}]}",
        [("spec.metrics[0].resource: Required value: must populate information for the given metric source")],
    ),
    (
        "spec: {metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization}}}]}",
        [
            (
                "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a "
                "target raw value or a target utilization"
            )
        ],
    ),
    (
        (
            "spec: {metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, "
            "averageUtilization: 0}}}]}"
        ),
        ["spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0"],
    ),
    (
        "spec: {metrics: [{type: Resource, resource: {name: '', target: {type: Value, value: 1}}}]}",
        [
            "spec.metrics[0].resource.name: Required value: must specify a resource name",
            (
                "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a "
                "target raw value or a target utilization"
            ),
        ],
    ),
    (
        "spec: {metrics: [{type: Pods, pods: {metric: {name: a/b}, target: {type: AverageValue}}}]}",
        [
            "spec.metrics[0].pods.metric.name: Invalid value: \"a/b\": may not contain '/'",
            ("spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue"),
        ],
    ),
    (
        (
            "spec: {metrics: [{type: Object, object: {describedObject: {kind: Service, name: s}, metric: "
            "{name: m}, target: {type: Value}}}]}"
        ),
        [
            (
                "spec.metrics[0].object.target.averageValue: Required value: must set either a target value "
                "or averageValue"
            )
        ],
    ),
    (
        (
            "spec: {metrics: [{type: External, external: {metric: {name: m}, target: {type: Value, "
            "value: 1, averageValue: 1}}}]}"
        ),
        [
            (
                "spec.metrics[0].external.target.value: Forbidden: may not set both a target value for "
                "metric and a per-pod target"
            )
        ],
    ),
    (
        (
            "spec: {metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, "
            "averageUtilization: 5}}, pods: {metric: {name: m}, target: {type: AverageValue, "
            "averageValue: 1}}}]}"
        ),
        ["spec.metrics[0].pods: Forbidden: must populate the given metric source only"],
    ),
    (
        (
            "spec: {metrics: [{type: ContainerResource, containerResource: {name: cpu, container: '', "
            "target: {type: Utilization, averageUtilization: 5}}}]}"
        ),
        ["spec.metrics[0].containerResource.container: Required value: must specify a container"],
    ),
    (
        (
            "spec: {metrics: [{type: ContainerResource, containerResource: {name: pods, container: c, "
            "target: {type: Utilization, averageUtilization: 5, averageValue: 1}}}]}"
        ),
        [
            'spec.metrics[0].containerResource.name: Invalid value: "pods": must be a standard resource for containers',
            (
                "spec.metrics[0].containerResource.target.averageValue: Forbidden: may not set both a target "
                "raw value and a target utilization"
            ),
        ],
    ),
    (
        "spec: {metrics: [{type: ContainerResource}, {type: Pods}, {type: Object}, {type: External}]}",
        [
            f"spec.metrics[{index}].{member}: Required value: must populate information for the given metric source"
            for index, member in enumerate(("containerResource", "pods", "object", "external"))
        ],
    ),
    (
        (
            "spec: {metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, "
            "averageUtilization: 0}}, pods: {metric: {name: ''}, target: {type: AverageValue, averageValue: 1}}}]}"
        ),
        [
            "spec.metrics[0].pods.metric.name: Required value: must specify a metric name",
            "spec.metrics[0].pods: Forbidden: must populate the given metric source only",
        ],
    ),
    (
        (
            "spec: {metrics: [{type: External, external: {metric: {name: m}, target: {type: '', "
            "value: '0', averageValue: '-1'}}}]}"
        ),
        [
            "spec.metrics[0].external.target.type: Required value: must specify a metric target type",
            (
                'spec.metrics[0].external.target.type: Invalid value: "": must be either Utilization, '
                "Value, or AverageValue"
            ),
            'spec.metrics[0].external.target.value: Invalid value: "0": must be positive',
            'spec.metrics[0].external.target.averageValue: Invalid value: "-1": must be positive',
            (
                "spec.metrics[0].external.target.value: Forbidden: may not set both a target value for "
                "metric and a per-pod target"
            ),
        ],
    ),
    (
        (
            "spec: {minReplicas: 0, metrics: [{type: External, external: {metric: {name: m}, target: {type: Value, "
            "value: 1}}}]}"
        ),
        ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"],
    ),
    (
        (
            "spec: {behavior: {scaleUp: {stabilizationWindowSeconds: 3601, selectPolicy: Most, policies: "
            "[{type: Pods, value: 0, periodSeconds: 1801}, {type: Some, value: 1, periodSeconds: 0}]}}}"
        ),
        [
            (
                "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or "
                "equal to 3600"
            ),
            (
                'spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: '
                '"Disabled", "Max", "Min"'
            ),
            "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
            (
                "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or "
                "equal to 1800"
            ),
            ('spec.behavior.scaleUp.policies[1].type: Unsupported value: "Some": supported values: "Percent", "Pods"'),
            "spec.behavior.scaleUp.policies[1].periodSeconds: Invalid value: 0: must be greater than zero",
        ],
    ),
    (
        "spec: {behavior: {scaleDown: {stabilizationWindowSeconds: -1}}}",
        [
            (
                "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than "
                "or equal to zero"
            )
        ],
    ),
    (
        "spec: {behavior: {scaleDown: {tolerance: '-1'}}}",
        ['spec.behavior.scaleDown.tolerance: Invalid value: "-1": must be greater or equal to zero'],
    ),
]


def test_a_valid_one_passes() -> None:
    assert AUTOSCALER.faults() == []


@pytest.mark.parametrize(("patch", "faults"), AUTOSCALERS)
def test_autoscalers(patch: str, faults: Faults) -> None:
    assert AUTOSCALER.faults(patch) == faults


def test_who_scales_to_zero_may_go_on() -> None:
    zero = (
        "spec: {minReplicas: 0, metrics: [{type: External, external: {metric: {name: m}, "
        "target: {type: Value, value: 1}}}]}"
    )
    assert AUTOSCALER.change(zero, "spec: {maxReplicas: 9}") == []
    assert AUTOSCALER.change("{}", zero) == ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"]


def test_a_status() -> None:
    assert AUTOSCALER.change("{}", "status: {currentReplicas: -1, desiredReplicas: -2}", "status") == [
        "status.currentReplicas: Invalid value: -1: must be greater than or equal to 0",
        "status.desiredReplicas: Invalid value: -2: must be greater than or equal to 0",
    ]

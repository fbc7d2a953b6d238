from __future__ import annotations

from collections import Counter

from steersman.api.types.core_v1 import (
    Affinity,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from steersman.api.types.meta_v1 import LabelSelector
from steersman.scheduler.podinfo import pod_info

from .test_scheduler import framework, node, place, pod, snapshot, why

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


def labelled(name: str, app: str, **spec: object) -> Pod:
    item = pod(name, **spec)  # type: ignore[arg-type]
    item.metadata.labels = {"app": app}
    return item


def term(app: str, key: str, **fields: object) -> PodAffinityTerm:
    return PodAffinityTerm(label_selector=LabelSelector(match_labels={"app": app}), topology_key=key, **fields)  # type: ignore[arg-type]


def near(*terms: PodAffinityTerm) -> Affinity:
    return Affinity(pod_affinity=PodAffinity(required_during_scheduling_ignored_during_execution=[*terms]))


def apart(*terms: PodAffinityTerm) -> Affinity:
    return Affinity(pod_anti_affinity=PodAntiAffinity(required_during_scheduling_ignored_during_execution=[*terms]))


def nodes():
    return snapshot(*(node(f"n{i}", labels={ZONE: f"z{i // 2}"}) for i in range(4)))


def test_anti_affinity_in_a_batch_and_towards_others() -> None:
    state = nodes()
    infos = [pod_info(labelled(f"a{i}", "a", affinity=apart(term("a", HOST)))) for i in range(5)]
    found = framework().place(infos, state)
    assert sorted(name or "" for name in found[:4]) == ["n0", "n1", "n2", "n3"]
    assert found[4] is None
    assert why(state, labelled("late", "a", affinity=apart(term("a", HOST)))).startswith(
        "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules. preemption: 0/4 nodes"
    )
    assert why(state, labelled("plain", "a")).startswith(
        "0/4 nodes are available: 4 node(s) didn't satisfy existing pods anti-affinity rules."
    )
    assert place(state, labelled("other", "b")) != [None]


def test_affinity_follows_and_the_first_may_start() -> None:
    state = nodes()
    wish = near(term("a", ZONE))
    assert why(state, labelled("x", "b", affinity=wish)) == (
        "0/4 nodes are available: 4 node(s) didn't match pod affinity rules. "
        "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    found = place(state, *(labelled(f"a{i}", "a", affinity=wish) for i in range(6)))
    assert len({int(name[1]) // 2 for name in found if name}) == 1
    assert None not in found
    elsewhere = labelled("c", "b", affinity=wish)
    elsewhere.metadata.namespace = "other"
    assert place(state, elsewhere) == [None]
    elsewhere.spec.affinity = near(term("a", ZONE, namespace_selector=LabelSelector()))
    assert place(state, elsewhere)[0] in found


def test_preferences_pull_and_push() -> None:
    state = nodes()
    (home,) = place(state, labelled("a", "a"))
    pull = WeightedPodAffinityTerm(weight=100, pod_affinity_term=term("a", HOST))
    friendly = Affinity(pod_affinity=PodAffinity(preferred_during_scheduling_ignored_during_execution=[pull]))
    shy = Affinity(pod_anti_affinity=PodAntiAffinity(preferred_during_scheduling_ignored_during_execution=[pull]))
    assert place(state, labelled("f", "f", affinity=friendly)) == [home]
    assert place(state, labelled("s", "s", affinity=shy)) != [home]


def spread(key: str, when: str = "DoNotSchedule", skew: int = 1, **fields: object) -> TopologySpreadConstraint:
    selector = LabelSelector(match_labels={"app": "a"})
    return TopologySpreadConstraint(
        max_skew=skew,
        topology_key=key,
        when_unsatisfiable=when,
        label_selector=selector,
        **fields,  # type: ignore[arg-type]
    )


def test_spread_keeps_the_skew() -> None:
    state = nodes()
    state.set_node(node("bare"))
    found = place(state, *(labelled(f"a{i}", "a", topology_spread_constraints=[spread(ZONE)]) for i in range(6)))
    assert Counter(int(str(name)[1]) // 2 for name in found) == {0: 3, 1: 3}
    state.set_node(node("n0", labels={ZONE: "z0"}, unschedulable=True))
    state.set_node(node("n1", labels={ZONE: "z0"}, unschedulable=True))
    place(state, labelled("a6", "a", topology_spread_constraints=[spread(ZONE)]))
    assert why(state, labelled("a7", "a", topology_spread_constraints=[spread(ZONE)])) == (
        "0/5 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label), "
        "2 node(s) didn't match pod topology spread constraints, 2 node(s) were unschedulable. "
        "preemption: 0/5 nodes are available: 2 No preemption victims found for incoming pod, "
        "3 Preemption is not helpful for scheduling."
    )


def test_min_domains_and_soft_spreading() -> None:
    state = nodes()
    few = spread(ZONE, min_domains=3)
    found = place(state, *(labelled(f"a{i}", "a", topology_spread_constraints=[few]) for i in range(3)))
    assert found[2] is None
    state = nodes()
    soft = spread(HOST, "ScheduleAnyway")
    found = place(state, *(labelled(f"a{i}", "a", topology_spread_constraints=[soft]) for i in range(8)))
    assert Counter(found) == {"n0": 2, "n1": 2, "n2": 2, "n3": 2}

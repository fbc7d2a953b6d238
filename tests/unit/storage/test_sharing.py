"""Decoded objects that stay share what is equal, and nobody can tell."""

from __future__ import annotations

import msgspec

from steersman.api.sharing import Words
from steersman.api.types.core_v1 import Container, Pod, PodCondition, PodSpec, PodStatus, Toleration
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.storage.entry import Entry, RecentlyDecoded

DECODER = msgspec.json.Decoder(Pod)


def pod(number: int) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=f"p{number}", namespace="default", labels={"app": "web"}, finalizers=["example/one"]),
        spec=PodSpec(
            containers=[Container(name="c", image="registry/web:1", args=["--verbose"])],
            tolerations=[Toleration(key="k", operator="Exists", effect="NoSchedule")],
        ),
        status=PodStatus(phase="Running", conditions=[PodCondition(type="Ready", status="True")]),
    )


def decoded(number: int) -> Pod:
    return DECODER.decode(msgspec.json.encode(pod(number)))


def test_what_is_equal_is_one() -> None:
    words, one, two = Words(), decoded(1), decoded(2)
    assert one.spec.containers[0].image is not two.spec.containers[0].image
    for each in (one, two):
        words.share(each)
    for read in (
        lambda obj: obj.metadata.labels["app"],
        lambda obj: obj.metadata.finalizers[0],
        lambda obj: obj.spec.containers[0].image,
        lambda obj: obj.spec.containers[0].args[0],
        lambda obj: obj.spec.tolerations[0].operator,
        lambda obj: obj.status.conditions[0].type,
    ):
        assert read(one) is read(two)
    assert (one, two) == (pod(1), pod(2))
    assert msgspec.json.encode(one) == msgspec.json.encode(decoded(1))


def test_few_words_are_remembered() -> None:
    words = Words(limit=100)
    for number in range(200):
        words.share(decoded(number))
    assert len(words._known) < 150


def test_only_what_lasts_is_worth_it() -> None:
    recent: RecentlyDecoded = RecentlyDecoded(limit=0)

    def entry(number: int) -> Entry[Pod]:
        return Entry(str(number), number, msgspec.json.encode(pod(number)), DECODER.decode, recent)

    entries = [entry(number) for number in range(2)]
    held = [each.object for each in entries]
    assert held[0].spec.containers[0].image is not held[1].spec.containers[0].image
    passing = [entry(number) for number in range(4)]
    assert all(each.object.metadata.name for each in passing)
    assert held[0].spec.containers[0].image is held[1].spec.containers[0].image
    assert [each.peek() for each in passing].count(None) >= 3

"""The semver library (semver.org 2.0.0); the functions that compare are the quantities' too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from steersman.cel.errors import CELError
from steersman.cel.functions import free, member, traversal

from .quantities import QUANTITY, Quantity

SEMVER = "kubernetes.Semver"
_NUMBER = r"(0|[1-9]\d*)"
_PART = r"(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SYNTAX = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?", re.ASCII
)
_LENIENT = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Semver:
    numbers: tuple[int, int, int]
    prerelease: tuple[str, ...]
    text: str

    cel_type = SEMVER

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self.rank() == other.rank()

    def __hash__(self) -> int:
        return hash(self.rank())

    def rank(self) -> tuple[Any, ...]:
        """Orders as the specification's paragraph 11."""
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        return (self.numbers, not self.prerelease, parts)


def semver(text: str, normalize: bool = False) -> Semver:
    if normalize and (loose := _LENIENT.fullmatch(text)):
        text = ".".join(str(int(loose[index] or 0)) for index in (1, 2, 3)) + loose[4]
    match = _SYNTAX.fullmatch(text)
    if match is None:
        short = text.count(".") < 2
        raise CELError("No Major.Minor.Patch elements found" if short else f'invalid semantic version "{text}"')
    return Semver((int(match[1]), int(match[2]), int(match[3])), tuple(match[4].split(".")) if match[4] else (), text)


def is_semver(text: str, normalize: bool = False) -> bool:
    try:
        semver(text, normalize)
    except CELError:
        return False
    return True


def compare(left: Any, right: Any) -> int:
    one, other = (left.number, right.number) if isinstance(left, Quantity) else (left.rank(), right.rank())
    return int(one > other) - int(one < other)


FUNCTIONS = (
    free("semver", semver, f"string -> {SEMVER}", f"string bool -> {SEMVER}", cost=traversal),
    free("isSemver", is_semver, "string -> bool", "string bool -> bool", cost=traversal),
    member("major", lambda v: v.numbers[0], f"{SEMVER} -> int"),
    member("minor", lambda v: v.numbers[1], f"{SEMVER} -> int"),
    member("patch", lambda v: v.numbers[2], f"{SEMVER} -> int"),
    member("compareTo", compare, f"{SEMVER} {SEMVER} -> int", f"{QUANTITY} {QUANTITY} -> int"),
    member(
        "isGreaterThan", lambda a, b: compare(a, b) > 0, f"{SEMVER} {SEMVER} -> bool", f"{QUANTITY} {QUANTITY} -> bool"
    ),
    member(
        "isLessThan", lambda a, b: compare(a, b) < 0, f"{SEMVER} {SEMVER} -> bool", f"{QUANTITY} {QUANTITY} -> bool"
    ),
)

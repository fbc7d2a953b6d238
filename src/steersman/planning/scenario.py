"""The scenario: what is planned, read from a file.

apiVersion: planning.steersman.dev/v1alpha1
kind: Scenario
metadata: {name: two-zones}
nodes:
- {count: 3, zone: a, cpu: "8", memory: 32Gi}
workloads:
- file: web.yaml
events:
- zone a fails
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from steersman.api.yaml import YAMLError, load_yaml

from . import happenings, pools, workloads
from .faults import ScenarioError
from .happenings import Happening
from .pools import Pool
from .workloads import Workload

API_VERSION = "planning.steersman.dev/v1alpha1"
KIND = "Scenario"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What is planned: nothing in it is wrong by itself, as far as can be told without an API server."""

    name: str
    nodes: tuple[Pool, ...]
    workloads: tuple[Workload, ...]
    happenings: tuple[Happening, ...] = ()


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    api_version: str
    kind: str
    nodes: list[Pool]
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    workloads: list[Any] = []
    events: list[Any] = []


def load(path: Path) -> Scenario:
    """Read a scenario and the files it names.  Raises ScenarioError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(str(path), error.strerror or str(error)) from error
    return read(data, path.parent, path.stem)


def read(data: bytes | str, directory: Path, name: str = "scenario") -> Scenario:
    """Read a scenario; ``directory`` is where the files are that it names.  Raises ScenarioError."""
    repeated: list[str] = []
    try:
        tree = load_yaml(data, repeated)
    except YAMLError as error:
        raise ScenarioError("", str(error)) from error
    if repeated:
        raise ScenarioError(repeated[0], "is there twice")
    if not isinstance(tree, dict):
        raise ScenarioError("", f"this is no scenario: it begins with apiVersion: {API_VERSION}")
    file: _File = happenings.convert(tree, _File, "")
    for key, value, wanted in (("apiVersion", file.api_version, API_VERSION), ("kind", file.kind, KIND)):
        if value != wanted:
            raise ScenarioError(key, f"must be {wanted}, not {value!r}")
    if not file.nodes:
        raise ScenarioError("nodes", "there must be some")
    taken: dict[str, str] = {}
    nodes = pools.numbered(file.nodes, "nodes", taken)
    return Scenario(
        name=file.metadata.name or name,
        nodes=nodes,
        workloads=workloads.read(file.workloads, directory),
        happenings=happenings.read(file.events, taken, happenings.places_of(file.nodes)),
    )

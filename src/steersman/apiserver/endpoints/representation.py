"""Content negotiation: in which form an answer is wanted.

Built-in objects are JSON or YAML, as themselves, as partial metadata, or as a table.  Protobuf is not
produced: clients that also accept JSON get that, those that do not get 406.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import yaml

from steersman.api.errors import not_acceptable
from steersman.apiserver.http.messages import Request

TYPES = (
    "application/json",
    "application/yaml",
)


class Form(NamedTuple):
    """How to write an answer: its syntax, and what of the object."""

    yaml: bool = False
    shape: Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"] = ""
    version: str = "v1"

    @property
    def content_type(self) -> str:
        """The media type to say."""
        return "application/yaml" if self.yaml else "application/json"


PLAIN = Form()


def negotiate(request: Request) -> Form:
    """The first acceptable form, by quality; raises 406."""
    accept = request.headers.get("accept", "")
    if accept in ("", "*/*", "application/json"):
        return PLAIN
    form = _negotiate(accept)
    if form is None:
        raise not_acceptable(f"only the following media types are accepted: {', '.join(TYPES)}")
    return form


@lru_cache(maxsize=512)
def _negotiate(accept: str) -> Form | None:
    clauses: list[tuple[float, int, str, dict[str, str]]] = []
    for position, text in enumerate(accept.split(",")):
        media_type, *pairs = (part.strip() for part in text.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if quality > 0:
            clauses.append((-quality, position, media_type.lower(), parameters))
    for _, _, media_type, parameters in sorted(clauses, key=lambda clause: clause[:2]):
        is_yaml = media_type == "application/yaml"
        if not is_yaml and media_type not in ("application/json", "application/*", "*/*"):
            continue
        shape = parameters.get("as", "")
        if not shape:
            if parameters.get("stream", "watch") != "watch":
                continue
            return Form(is_yaml)
        if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1"):
            continue
        if shape == "Table":
            return Form(is_yaml, "Table", parameters["v"])
        if shape == "PartialObjectMetadata":
            return Form(is_yaml, "PartialObjectMetadata", parameters["v"])
        if shape == "PartialObjectMetadataList":
            return Form(is_yaml, "PartialObjectMetadataList", parameters["v"])
    return None


def to_yaml(tree: Any) -> bytes:
    """JSON data as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(tree, Dumper=dumper, default_flow_style=False, allow_unicode=True)
    return text.encode()

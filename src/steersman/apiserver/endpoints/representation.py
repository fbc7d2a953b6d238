"""Content negotiation: in which form an answer is wanted.

Built-in objects are JSON or YAML, as themselves, as partial metadata, or as a table.  Protobuf is not
produced: clients that also accept JSON get that, those that do not get 406.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from steersman.api.errors import not_acceptable
from steersman.api.time import now
from steersman.apiserver.http.messages import Request
from steersman.apiserver.seams import Now

from .yaml_text import to_yaml

TYPES = (
    "application/json",
    "application/yaml",
)


Shape = Literal["", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"]
SHAPES: dict[str, Shape] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadataList",
}
ANY = frozenset(SHAPES)
NO_TABLE = ANY - {"Table"}
"""Of what is only created, such as reviews and bindings, no tables are made."""


class Form(NamedTuple):
    """How to write an answer: its syntax, and what of the object."""

    yaml: bool = False
    shape: Shape = ""
    version: str = "v1"
    pretty: bool = False
    now: Now = now
    """What the ages in tables are reckoned from."""

    @property
    def content_type(self) -> str:
        """The media type to say."""
        return "application/yaml" if self.yaml else "application/json"


PLAIN = Form()


def negotiate(request: Request, *, tables: bool = True, now: Now = now) -> Form:
    """The first acceptable form, by quality; raises 406.  ``tables``: whether the answer can be one."""
    accept = request.headers.get("accept", "")
    if accept in ("", "*/*", "application/json"):
        return PLAIN
    form = _negotiate(accept, ANY if tables else NO_TABLE)
    if form is None:
        raise not_acceptable(f"only the following media types are accepted: {', '.join(TYPES)}")
    return form._replace(now=now) if form.shape == "Table" else form


def check_stream(form: Form) -> None:
    """Raise 406 for a watch in a form in which events are not written."""
    if form.yaml:
        raise not_acceptable("only the following media types are accepted: application/json;stream=watch")


@lru_cache(maxsize=512)
def _negotiate(accept: str, shapes: frozenset[str]) -> Form | None:
    """``shapes``: in which the answer can be had beside its own."""
    clauses: list[tuple[float, int, int, str, dict[str, str]]] = []
    for position, text in enumerate(accept.split(",")):
        media_type, *pairs = (part.strip() for part in text.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if quality > 0:
            clauses.append((-quality, media_type.count("*"), position, media_type.lower(), parameters))
    for *_, media_type, parameters in sorted(clauses, key=lambda clause: clause[:3]):
        is_yaml = media_type == "application/yaml"
        if not is_yaml and media_type not in ("application/json", "application/*", "*/*"):
            continue
        if parameters.get("stream", "watch") not in ("", "watch"):
            continue
        pretty = parameters.get("pretty") == "1"
        wanted = [parameters.get(name, "") for name in ("as", "g", "v")]
        if not any(wanted):
            return Form(is_yaml, pretty=pretty)
        shape, group, version = wanted
        if shape in shapes and group == "meta.k8s.io" and version in ("v1", "v1beta1"):
            return Form(is_yaml, SHAPES[shape], version, pretty)
    return None


_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")


def is_pretty(request: Request, form: Form = PLAIN) -> bool:
    """Whether an answer is for people to read: they say so, or what they use tells."""
    if form.pretty:
        return True
    if "pretty" in request.query_string and (wanted := request.parameter("pretty")):
        return wanted in _TRUE
    return request.headers.get("user-agent", "").startswith(_PEOPLE)


def status_form(request: Request) -> Form:
    """The form of an error: what is acceptable, and JSON where nothing is."""
    accept = request.headers.get("accept", "")
    if "yaml" not in accept and "pretty" not in accept:
        return PLAIN
    form = _negotiate(accept, frozenset()) or PLAIN
    return form._replace(shape="")


def write(data: bytes, form: Form, pretty: bool) -> bytes:
    """JSON in another syntax, or indented."""
    if form.yaml:
        return to_yaml(msgspec.json.decode(data))
    return msgspec.json.format(data.rstrip(), indent=2) if pretty else data

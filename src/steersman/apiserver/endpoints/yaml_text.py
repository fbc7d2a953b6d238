"""Answers in YAML: block style, keys sorted, and every text written so that Kubernetes reads it as the same text."""

from __future__ import annotations

from typing import Any

import yaml

from steersman.api.yaml import YAMLError, resolve


class _Dumper(yaml.CSafeDumper):
    """Quotes more than YAML 1.1 asks for: what Kubernetes takes for something else than a text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> Any:
    if "\n" in value:
        style: str | None = "|"
    else:
        try:
            same = bool(value) and resolve(value) == value and value not in ("<<", "=")
        except YAMLError:
            same = False
        style = None if same else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _text)


def to_yaml(tree: Any) -> bytes:
    """JSON data as YAML."""
    text: str = yaml.dump(tree, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=2**31 - 1)
    return text.encode()

"""A template that was parsed, and can be executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .builtins import BUILTINS
from .compiler import Compiler, Frame
from .dates import DATES
from .errors import TemplateError
from .parser import Parser
from .sprig import SPRIG

FUNCTIONS: dict[str, Callable[..., Any]] = {**SPRIG, **DATES, **BUILTINS}


class Template:
    """``contextual`` functions are called with what the template is executed for, then their arguments."""

    def __init__(self, name: str, text: str, contextual: Mapping[str, Callable[..., Any]] | None = None) -> None:
        contextual = contextual or {}
        parser = Parser(name, text, {*FUNCTIONS, *contextual, "and", "or"})
        compiler = Compiler(name, FUNCTIONS, contextual)
        nodes = parser.parse()
        compiler.templates.update({each: compiler.nodes(body) for each, body in parser.templates.items()})
        self._name = name
        self._main = compiler.nodes(nodes)

    def execute(self, data: Any, context: Any = None) -> str:
        """The text for some JSON data; raises TemplateError."""
        out: list[str] = []
        try:
            self._main(Frame(data, out, context))
        except RecursionError:
            raise TemplateError(f"template: {self._name}: it is nested too deeply") from None
        return "".join(out)

"""Go's text/template: what stage files are written in.

A template is parsed once (:mod:`.lexer`, :mod:`.parser`) into closures (:mod:`.compiler`), which walk JSON data.
All of the language is there but channels and methods, which JSON data has none of but for those of numbers; of
functions, Go's own (:mod:`.builtins`) and the part of sprig that deals with text, numbers, lists, maps (:mod:`.sprig`)
and time (:mod:`.dates`).  What is not known is refused when the template is parsed; what goes wrong when it is executed
is told as Go tells it.

Specification: https://pkg.go.dev/text/template, https://masterminds.github.io/sprig.
"""

from .errors import TemplateError
from .template import Template

__all__ = ["Template", "TemplateError"]

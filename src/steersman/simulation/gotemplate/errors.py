"""What is wrong with a template, or went wrong with it."""

from __future__ import annotations


class TemplateError(ValueError):
    """Names the template and the line where that is known."""

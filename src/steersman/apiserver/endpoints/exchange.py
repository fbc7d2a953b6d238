"""What others may do about requests: see them before they are carried out, and hear how they ended.

Filters stand between authentication and everything else; observers are told once an answer is made, and again when an
answer that is a stream has ended.  Who adds none pays nothing.  An observer is told all that an audit log records.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from steersman.apiserver.http.messages import Answer, Request, Upgrade

from .request_info import RequestInfo

Stage = Literal["ResponseStarted", "ResponseComplete", "Panic"]
"""The audit log's words.  ``ResponseStarted`` is that of streams, which complete later."""

Carry = Callable[[], Awaitable[Answer]]
"""Carries a request out; raises StatusError."""

Filter = Callable[[Request, RequestInfo, Carry], Awaitable[Answer]]
"""Answers a request, mostly by letting it be carried out; may wait, raise StatusError, or change the answer.

May raise :class:`.http.messages.Severed` to have the connection cut without an answer.
"""


class Exchange(NamedTuple):
    """A request and its answer, which is None where there is none."""

    stage: Stage
    request: Request
    info: RequestInfo
    answer: Answer | None
    received: float
    """When the request came, in seconds since the epoch."""
    seconds: float
    """From there until this stage."""

    @property
    def code(self) -> int:
        """The status code; 0 where nobody was answered."""
        if self.answer is None:
            return 0
        return 101 if isinstance(self.answer, Upgrade) else self.answer.status


Observer = Callable[[Exchange], None]
"""Called on the loop, before the answer leaves; MUST NOT raise, nor keep what is large."""

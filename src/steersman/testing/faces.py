"""The two faces of what runs on a cluster's event loop: methods that block, and the same ones to be awaited.

    class Bell:
        async def ring(self, times: int) -> str: ...

    class BlockingBell(Face[Bell]):
        ring = blocking(Bell.ring)

    class AsyncBell(Face[Bell]):
        ring = awaitable(Bell.ring)

Types, names and defaults are those of the one definition; also where it is overloaded or generic.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from steersman.api.errors import StatusError

from .thread import LoopThread, StoppedError

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class Face(Generic[S]):
    """Shows what lives on the loop of a thread to other threads."""

    def __init__(self, thread: LoopThread, inner: S) -> None:
        self._thread = thread
        self._inner = inner


def blocking(function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[Any, P], R]:
    """A method that waits for the answer."""

    @functools.wraps(function)
    def method(face: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return face._thread.wait(function(face._inner, *args, **kwargs))
        except StatusError as error:
            raise error.with_traceback(None) from error.__cause__  # where in the cluster it was made says nothing

    return method


def awaitable(
    function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """A method that is awaited, on whatever event loop."""

    @functools.wraps(function)
    async def method(face: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return await face._thread.reach(function(face._inner, *args, **kwargs))
        except StatusError as error:
            raise error.with_traceback(None) from error.__cause__

    return method


def blocking_iterator(
    function: Callable[Concatenate[S, P], AsyncIterator[R]],
) -> Callable[Concatenate[Any, P], Iterator[R]]:
    """A method whose items are waited for, until there are no more, or the thread ends."""

    @functools.wraps(function)
    def method(face: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        __tracebackhide__ = True
        source = function(face._inner, *args, **kwargs)
        try:
            while True:
                try:
                    yield face._thread.wait(_next(source))
                except (StopAsyncIteration, StoppedError):
                    return
                except StatusError as error:
                    raise error.with_traceback(None) from error.__cause__
        finally:
            with contextlib.suppress(StoppedError):
                face._thread.wait(_close(source))

    return method


def awaitable_iterator(
    function: Callable[Concatenate[S, P], AsyncIterator[R]],
) -> Callable[Concatenate[Any, P], AsyncIterator[R]]:
    """A method over whose items one iterates with ``async for``, on whatever event loop."""

    @functools.wraps(function)
    async def method(face: Face[S], /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        __tracebackhide__ = True
        source = function(face._inner, *args, **kwargs)
        try:
            while True:
                try:
                    yield await face._thread.reach(_next(source))
                except (StopAsyncIteration, StoppedError):
                    return
                except StatusError as error:
                    raise error.with_traceback(None) from error.__cause__
        finally:
            with contextlib.suppress(StoppedError):
                await face._thread.reach(_close(source))

    return method


async def _next(source: AsyncIterator[R]) -> R:
    return await anext(source)


async def _close(source: AsyncIterator[Any]) -> None:
    if (close := getattr(source, "aclose", None)) is not None:
        await close()

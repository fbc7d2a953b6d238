"""Who writes an object next, among those who have lost a race for it."""

from __future__ import annotations

import asyncio


class Turns:
    """Writers that lose wait in line, key by key: each competes with newcomers alone, and N of them write N times."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    async def wait(self, key: str) -> Turn:
        """Wait for the turn to write a key; the caller ends it."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line()
        line.members += 1
        turn = Turn(self._lines, key, line)
        try:
            await line.lock.acquire()
        except BaseException:
            turn.leave()
            raise
        return turn


class _Line:
    __slots__ = ("lock", "members")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.members = 0


class Turn:
    """The right to be the only loser that writes a key."""

    __slots__ = ("_key", "_line", "_lines")

    def __init__(self, lines: dict[str, _Line], key: str, line: _Line) -> None:
        self._lines = lines
        self._key = key
        self._line = line

    def end(self) -> None:
        """Let the next one write."""
        self._line.lock.release()
        self.leave()

    def leave(self) -> None:
        """Wait no longer."""
        self._line.members -= 1
        if not self._line.members:
            del self._lines[self._key]

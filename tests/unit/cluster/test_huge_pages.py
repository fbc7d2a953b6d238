"""Large heaps on huge pages, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from steersman.cluster import huge_pages

MAPS = """\
55d000000000-55d000100000 r--p 00000000 fe:00 1234                       /usr/bin/python3.11
55d000200000-55d000400000 rw-p 00000000 fe:00 1234                       /usr/bin/python3.11
55d000401000-55d000a01000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000200000 rw-p 00000000 00:00 0
7f0000300000-7f00004fffff rw-p 00000000 00:00 0
7f0000600000-7f0000a00000 ---p 00000000 00:00 0
7f0000a00000-7f0000e00000 rw-s 00000000 00:00 0
7ffd00000000-7ffd00400000 rw-p 00000000 00:00 0                          [stack]
"""


def test_pieces_are_aligned_and_of_the_heap_alone() -> None:
    pieces = [*huge_pages._pieces(MAPS.splitlines())]

    assert [hex(piece) for piece in pieces] == ["0x55d000600000", "0x55d000800000", "0x7f0000000000"]


GROW = """
import mmap
from steersman.cluster.huge_pages import SIZE, HugePages

def huge():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("AnonHugePages"))

objects = [str(number) * 8 for number in range(800_000)]
sparse = mmap.mmap(-1, 8 * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
sparse[4 * SIZE] = 1
pages = HugePages()
first, second = pages.collapse(), pages.collapse()
print(first, second, huge() * 1024 // SIZE)
assert all(text == str(number) * 8 for number, text in enumerate(objects))
"""


def test_a_large_heap_is_moved_once_and_stays_what_it_is() -> None:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("this kernel has no transparent huge pages, or they are switched off")

    first, second, huge = map(int, subprocess.check_output([sys.executable, "-c", GROW], text=True).split())

    assert first >= 16  # of some 70 MiB
    assert (second, huge) == (0, first)

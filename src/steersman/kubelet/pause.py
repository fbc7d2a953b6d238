"""The pause program: the process that holds a sandbox's namespaces, made here without a compiler.

It blocks SIGTERM, SIGINT and SIGCHLD and waits for them: a dead child is reaped (it is PID 1 where a pod shares
its process namespace), the other two end it with status 0.  Blocked signals are delivered to a PID 1 as well,
which ordinary default actions are not.
"""

from __future__ import annotations

import platform
import struct

_BASE = 0x400000
_HEADERS = 64 + 56
_SIGNALS = struct.pack("<Q", 1 << (15 - 1) | 1 << (2 - 1) | 1 << (17 - 1))
"""The kernel's signal set: SIGTERM, SIGINT, SIGCHLD."""


def pause_binary(machine: str = "") -> bytes:
    """A static ELF executable for ``machine`` (``x86_64`` or ``aarch64``; this one's by default)."""
    machine = machine or platform.machine()
    if machine in ("x86_64", "amd64"):
        return _elf(62, _x86_64())
    if machine in ("aarch64", "arm64"):
        return _elf(183, _aarch64())
    raise ValueError(f"no pause program for the machine {machine!r}: it is made for x86_64 and aarch64")


def _elf(machine: int, code: bytes) -> bytes:
    size = _HEADERS + len(code)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)
    return header + segment + code


def _x86_64() -> bytes:
    syscall = b"\x0f\x05"

    def rax(number: int) -> bytes:
        return b"\xb8" + struct.pack("<I", number)

    r10_8 = b"\x41\xba\x08\x00\x00\x00"  # mov r10d, 8
    no_edi, no_esi, no_edx = b"\x31\xff", b"\x31\xf6", b"\x31\xd2"

    end = rax(231) + no_edi + syscall  # exit_group(0)
    reap_call = rax(61) + b"\xbf\xff\xff\xff\xff" + no_esi + b"\xba\x01\x00\x00\x00" + b"\x45\x31\xd2" + syscall
    # wait: rt_sigtimedwait(&set, NULL, NULL, 8)
    wait_head, wait_tail = rax(128) + b"\x48\x8d\x3d", no_esi + no_edx + r10_8 + syscall
    wait_size = len(wait_head) + 4 + len(wait_tail)
    branches = 5 + 4  # cmp eax, 17; je | test eax, eax; js
    reap_size = len(reap_call) + 2 + 2 + 2  # test eax, eax; jg reap; jmp wait
    block_head, block_tail = rax(14) + no_edi + b"\x48\x8d\x35", no_edx + r10_8 + syscall
    block_size = len(block_head) + 4 + len(block_tail)
    wait_at = block_size
    reap_at = wait_at + wait_size + branches + len(end)
    set_at = reap_at + reap_size

    code = block_head + struct.pack("<i", set_at - (len(block_head) + 4)) + block_tail
    code += wait_head + struct.pack("<i", set_at - (wait_at + len(wait_head) + 4)) + wait_tail
    code += b"\x83\xf8\x11\x74" + struct.pack("<b", reap_at - (len(code) + 5))
    code += b"\x85\xc0\x78" + struct.pack("<b", wait_at - (len(code) + 4))
    code += end
    code += reap_call + b"\x85\xc0"
    code += b"\x7f" + struct.pack("<b", reap_at - (len(code) + 2))
    code += b"\xeb" + struct.pack("<b", wait_at - (len(code) + 2))
    return code + _SIGNALS


def _aarch64() -> bytes:
    def load(register: int, value: int) -> int:  # movz
        return 0xD2800000 | value << 5 | register

    def address(register: int, at: int, target: int) -> int:  # adr
        offset = (target - at) * 4
        return 0x10000000 | (offset & 3) << 29 | (offset >> 2 & 0x7FFFF) << 5 | register

    def compare(value: int) -> int:  # cmp x0, #value
        return 0xF100001F | value << 10

    def branch(condition: int, at: int, target: int) -> int:
        return 0x54000000 | ((target - at) & 0x7FFFF) << 5 | condition

    svc, minus_one, equal, less, greater, always = 0xD4000001, 0x92800000, 0x0, 0xB, 0xC, 0xE
    wait, reap, signals = 6, 20, 30  # in instructions; the set is eight bytes and aligned to eight
    code = [
        load(8, 135), load(0, 0), address(1, 2, signals), load(2, 0), load(3, 8), svc,  # rt_sigprocmask
        load(8, 137), address(0, 7, signals), load(1, 0), load(2, 0), load(3, 8), svc,  # 6: rt_sigtimedwait
        compare(17), branch(equal, 13, reap), compare(0), branch(less, 15, wait),
        load(8, 94), load(0, 0), svc, branch(always, 19, wait),  # 16: exit_group
        load(8, 260), minus_one, load(1, 0), load(2, 1), load(3, 0), svc,  # 20: wait4
        compare(0), branch(greater, 27, reap), branch(always, 28, wait), load(0, 0),
    ]  # fmt: skip
    assert len(code) == signals
    return struct.pack(f"<{len(code)}I", *code) + _SIGNALS

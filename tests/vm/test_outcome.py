#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""How ends of guests are told apart, and how cmocka's output is read. Prints TAP; boots nothing."""
import sys

import initramfs
import outcome
import tap

NOP_DEATH = """[    1.25] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
[    1.25] RIP: 0010:enqueue_task_fair+0x6/0x620
[    1.25] Code: 90 90 90 90 f3 0f 1e fa 0f <1f> 44 00 00 41 57 41 56
[    1.25] Kernel panic - not syncing: Fatal exception
"""
SLAB_DEATH = """[   16.1] RIP: 0010:kmem_cache_alloc_noprof+0x8f/0x2f0
[   16.1] Code: 8b 50 08 48 8b 00 65 48 0f c7 0e <0f> 94 c0 84 c0
"""
OUR_DEATH = """[    9.1] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    9.1]  bpf_prog_0123456789abcdef_on_tcp_sendmsg+0x51/0x90
[    9.1]  bpf_trampoline_6442510212+0x5c/0x1000
"""
OTHER_DEATH = "[    9.1] Kernel panic - not syncing: sysrq triggered crash\n"
LISTING = "loaded bpf_prog_ by name only\n"

ENDS = (
    # what is told, QEMU's status, console -> status, retry
    ("a command that succeeded", 0, "guest: up after 3 s\nguest: exit 0\n", 0, False),
    ("a command that failed", 0, "guest: exit 7\n", 7, False),
    ("a status that would read as a death", 0, "guest: exit 126\n", outcome.EXIT_MAX, False),
    ("QEMU refused its options", 1, "", outcome.DIED, False),
    ("the time limit", None, "guest: up after 3 s\n", outcome.TIMED_OUT, False),
    ("a death of another cause", 0, OTHER_DEATH, outcome.DIED, False),
    ("a death in our program", 0, OUR_DEATH, outcome.KILLED, False),
    ("our frame under a death that looks like TCG's", 0, NOP_DEATH + OUR_DEATH, outcome.KILLED, False),
    ("TCG's nop", 0, NOP_DEATH, outcome.DIED, True),
    ("TCG's cmpxchg16b", 0, SLAB_DEATH, outcome.DIED, True),
    ("a program's name that is no frame", 0, LISTING, outcome.DIED, False),
)

CMOCKA = """1..3
ok 1 - sock one
not ok 2 - sock two
# 0x1 != 0x2
# tests/native/x.c:7: error: Failure!
not ok 3 # SKIP sock three
# not ok - sock
"""
READS = (
    # what is told, output, exit status -> (name, state, why)
    ("failures and skips", CMOCKA, 1, [("sock one", "ok", ""),
                                       ("sock two", "failed", "0x1 != 0x2 tests/native/x.c:7: error: Failure!"),
                                       ("sock three", "skipped", "")]),
    ("a program that ends early", "1..2\nok 1 - a\n", 139,
     [("a", "ok", ""), ("ran to its end", "failed", "ran 1 of 2 planned tests, exit status 139")]),
    ("a program that says nothing", "", 127,
     [("ran to its end", "failed", "ran 0 of 0 planned tests, exit status 127")]),
    ("a status that no test explains", "1..1\nok 1 - a\n", 1,
     [("a", "ok", ""), ("ran to its end", "failed", "exit status 1")]),
    ("a guest that died", "1..1\nok 1 - a\n", None,
     [("a", "ok", ""), ("ran to its end", "failed", "the guest ended before it did")]),
)


def check_ends(out):
    for name, status, console, wanted, retry in ENDS:
        end = outcome.judge(status, console)
        got = f"status {end.status}, retry {end.retry}"
        out.put(tap.Case("judge", name, "ok" if (end.status, end.retry) == (wanted, retry) else "failed", got))


def check_reads(out):
    for name, text, status, wanted in READS:
        got = [(c.name, c.state, c.why) for c in tap.read("p", text.split("\n"), status)]
        out.put(tap.Case("tap", name, "ok" if got == wanted else "failed", str(got)))


def check_archive(out):
    archive = initramfs.Archive()
    archive.data("/a/b", b"text", 0o600)
    archive.data("/a/b", b"again")
    data = archive.bytes()
    right = (data.startswith(b"070701") and data.count(b"070701") == 3 and b"again" not in data
             and data.rstrip(b"\0").endswith(b"TRAILER!!!") and len(data) % 4 == 0)
    out.put(tap.Case("initramfs", "folders above a file, each name once, padded", "ok" if right else "failed",
                     repr(data)))


def main():
    out = tap.Writer("vm")
    for check in (check_ends, check_reads, check_archive):
        check(out)
    out.plan()
    return 1 if out.count("failed") else 0


sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""How a guest ended, told from QEMU's exit status and the guest's console."""
import re

TIMED_OUT = 124
DIED = 125      # and no program of ours in the trace
KILLED = 126    # by us: a frame of a BPF program, or of a trampoline to one, is in the trace
EXIT_MAX = 123  # highest status of a command that comes back as it is

LAST_WORD = re.compile(r"^guest: exit (\d+)\s*$", re.M)
# bpf_prog_<tag>_<name>; init turns net.core.bpf_jit_kallsyms on for it. Only traces print such names.
OUR_FRAME = re.compile(r"\b(bpf_prog_[0-9a-f]{16}\w*|bpf_trampoline_\d+\w*)")
# Deaths under QEMU 7.2's TCG that were seen without any program of ours; only these are worth a second boot.
TCG_DEATHS = (
    # Linux 6.12.95, 4 of 5 fork loops: cmpxchg16b %gs:(%rsi) leaves part of a pointer in EFLAGS, the slab allocator oopses
    # on the next instruction. Never with -cpu max,-cx16; not seen on 6.12.117.
    ("cmpxchg16b in the slab allocator", re.compile(r"RIP: \S*kmem_cache_alloc\w*\+[\s\S]*?Code:.*\b0f c7 0e\b")),
    # Linux 7.3, 1 boot in 20: RIP on byte 2 of a 5-byte nop (0f 1f 44 00 00) while live text is patched.
    ("text patching hit a running 5-byte nop", re.compile(r"Code:.*\b0f <1f> 44 00 00\b")),
)


class Outcome:
    """status: the command's exit status, or one of the constants above. why: one line for a person, "" when the command
    ended by itself. retry: the death is one of TCG's own."""

    def __init__(self, status, why="", retry=False):
        self.status, self.why, self.retry = status, why, retry


def judge(qemu_status, console):
    """qemu_status: None when it was stopped at the time limit."""
    if qemu_status is None:
        return Outcome(TIMED_OUT, "no end within the time limit")
    last = LAST_WORD.search(console)
    if last and qemu_status == 0:
        status = int(last.group(1))
        return Outcome(min(status, EXIT_MAX), "" if status <= EXIT_MAX else f"the command's status was {status}")
    ours = OUR_FRAME.search(console)
    if ours:
        return Outcome(KILLED, f"the kernel died in our program {ours.group(1)}")
    for name, trace in TCG_DEATHS:
        if trace.search(console):
            return Outcome(DIED, f"the guest died of a fault of QEMU's TCG: {name}", retry=True)
    return Outcome(DIED, f"the guest died (QEMU's exit status {qemu_status})")
